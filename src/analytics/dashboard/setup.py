"""The first run: creating the owner's account with the link that the server has printed.

The token in the link is only printed where the server runs. The sender's address could not replace
it: a request from this machine may have come through a proxy from anywhere.
"""

from __future__ import annotations

import asyncio
import hmac

from starlette.responses import Response

from analytics import actor
from analytics.catalog import service
from analytics.dashboard.login import remember, remember_device
from analytics.dashboard.page_request import MAX_PASSWORD_FORM_BYTES, PageRequest, redirect
from analytics.dashboard.throttle import Throttle
from analytics.errors import Invalid, Malformed


class Setup:
    """The page /setup, which exists until there is an account."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._one_at_a_time = asyncio.Lock()

    async def show(self, ask: PageRequest) -> Response:
        """Show the form for the owner's account; without the token, say where to find it."""
        if await ask.deps.catalog.people.all():
            return redirect("/login")
        token = ask.request.query_params.get("token")
        if token is None:
            return welcome(ask)
        if not self._opens(ask, token):
            return welcome(ask, wrong_link=True)
        return ask.page("setup.html", token=token, email="", problem="")

    async def create(self, ask: PageRequest) -> Response:
        """Create the owner's account, log in, and redirect to the form for the first site."""
        form = await ask.form(MAX_PASSWORD_FORM_BYTES)
        token, email = form.get("token", ""), form.get("email", "").strip()
        password = form.get("password", "")
        if not self._opens(ask, token):
            return welcome(ask, wrong_link=True)
        people = ask.deps.catalog.people
        try:
            check_typed(password, form.get("again", ""))
            # Two people with the link at once must not both become the owner.
            async with self._one_at_a_time:
                if await people.all():
                    return redirect("/login")
                with actor.acting_as(actor.SETUP):
                    await service.add_person(
                        ask.deps.catalog,
                        email,
                        password,
                        owner=True,
                        sites=(),
                        must_change=False,
                    )
        except Invalid as error:
            problem = error.reason if isinstance(error, Malformed) else str(error)
            return ask.page("setup.html", status=400, token=token, email=email, problem=problem)
        response = redirect("/sites/new")
        remember(
            ask,
            response,
            await people.log_in(email, password, browser=ask.deps.browser(ask.request)),
        )
        await remember_device(ask, response, email)
        return response

    def _opens(self, ask: PageRequest, token: str) -> bool:
        """Return True if *token* is the printed one. Raise `TooMany` after too many wrong ones."""
        expected = ask.deps.setup_token or ""
        if expected and hmac.compare_digest(token.encode(), expected.encode()):
            return True
        self._throttle.take_from(ask.deps.client(ask.request), "setup")
        return False


def check_typed(password: str, again: str, *, before: str | None = None) -> None:
    """Raise `Malformed` if *password* differs from *again* or equals *before*."""
    if password == before:
        raise Malformed("password", "Choose a password other than the current one.")
    if password != again:
        raise Malformed("again", "The two passwords differ. Type the same one twice.")


def welcome(ask: PageRequest, *, wrong_link: bool = False) -> Response:
    """Return the page of a server without accounts, which says where to find the link."""
    return ask.page("welcome.html", status=403 if wrong_link else 200, wrong_link=wrong_link)
