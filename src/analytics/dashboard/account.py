"""One's own account: what it may see, and its password."""

from __future__ import annotations

from starlette.responses import Response

from analytics import problem
from analytics.dashboard.ask import ACCOUNT, MAX_PASSWORD_FORM_BYTES, Ask
from analytics.dashboard.login import remember_device
from analytics.dashboard.setup import check_password
from analytics.dashboard.throttle import Throttle
from analytics.errors import Malformed, TooMany, Unauthenticated


class Account:
    """The page /account."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def show(self, ask: Ask) -> Response:
        """The form for another password."""
        ask.someone()
        return ask.page("account.html", problem="")

    async def change(self, ask: Ask) -> Response:
        """Replace the password, and end every other session."""
        person = ask.someone()
        form = await ask.form(MAX_PASSWORD_FORM_BYTES)
        name = f"account {person.email}"
        people = ask.deps.catalog.people
        current, password = form.get("current", ""), form.get("password", "")
        try:
            check_password(password, form.get("again", ""), before=current)
            self._throttle.take(name)
            await people.check(person.email, current)
            await people.set_password(person.email, password, keep=ask.session)
        except TooMany as error:
            response: Response = ask.page("account.html", status=429, problem=str(error))
            response.headers.update(dict(problem.headers(error)))
            return response
        except Unauthenticated:
            fault = "The current password is not right."
            return ask.page("account.html", status=400, problem=fault)
        except Malformed as error:
            return ask.page("account.html", status=400, problem=error.reason)
        self._throttle.forgive(name)
        response = ask.done(ACCOUNT, "Your password is changed. Other sessions have ended.")
        await remember_device(ask, response, person.email)
        return response
