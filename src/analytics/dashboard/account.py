"""The page of one's own account: its password and its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from starlette.responses import Response

from analytics import problem
from analytics.catalog import service
from analytics.dashboard.login import remember_device
from analytics.dashboard.page_request import ACCOUNT, MAX_PASSWORD_FORM_BYTES, PageRequest, redirect
from analytics.dashboard.setup import check_typed
from analytics.dashboard.throttle import Throttle
from analytics.errors import Malformed, NotFound, TooMany, Unauthenticated


class Account:
    """The page /account."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def show(self, ask: PageRequest) -> Response:
        """Show the form for a new password and the list of the account's sessions."""
        return await _page(ask)

    async def change(self, ask: PageRequest) -> Response:
        """Carry out the form that was posted; its field `form` names which one."""
        person = ask.someone()
        form = await ask.form(MAX_PASSWORD_FORM_BYTES)
        match form.get("form", "password"):
            case "end-session":
                return await _end_session(ask, form.get("session", ""))
            case "end-others":
                await service.end_sessions(ask.deps.catalog, person.email, keep=ask.session)
                return ask.done(ACCOUNT, "You are logged out everywhere else.", where="sessions")
            case "password":
                return await self._change_password(ask, form)
            case other:
                raise Malformed("form", f"there is no form {other[:40]!r}")

    async def _change_password(self, ask: PageRequest, form: Mapping[str, str]) -> Response:
        """Replace the password, and end every other session."""
        person = ask.someone()
        name = f"account {person.email}"
        catalog = ask.deps.catalog
        current, password = form.get("current", ""), form.get("password", "")
        try:
            check_typed(password, form.get("again", ""), before=current)
            self._throttle.take(name)
            await catalog.people.check(person.email, current)
            await service.set_password(catalog, person.email, password, keep=ask.session)
        except TooMany as error:
            response = await _page(ask, status=429, problem=str(error))
            response.headers.update(dict(problem.headers(error)))
            return response
        except Unauthenticated:
            return await _page(ask, status=400, problem="The current password is wrong.")
        except Malformed as error:
            return await _page(ask, status=400, problem=error.reason)
        self._throttle.forgive(name)
        response = ask.done(
            ACCOUNT, "Your password has been changed. Your other sessions have ended."
        )
        await remember_device(ask, response, person.email)
        return response


async def _page(ask: PageRequest, *, status: int = 200, problem: str = "") -> Response:
    person = ask.someone()
    sessions = await ask.deps.catalog.people.sessions(person.email, token=ask.session)
    return ask.page("account.html", status=status, problem=problem, sessions=sessions)


async def _end_session(ask: PageRequest, session: str) -> Response:
    catalog = ask.deps.catalog
    with suppress(NotFound):  # it has ended already, which is what was asked for
        await service.end_session(catalog, ask.someone().email, session)
    if await catalog.people.logged_in(ask.session) is None:
        return redirect("/login")
    return ask.done(ACCOUNT, "That session has ended.", where="sessions")
