"""The first run: the owner's account, made by whoever holds the link that the server printed."""

from __future__ import annotations

import asyncio
import hmac
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from analytics.dashboard.ask import Ask, redirect
from analytics.dashboard.login import remember
from analytics.dashboard.throttle import Throttle
from analytics.errors import Forbidden, Invalid, Malformed

MIN_PASSWORD_CHARS: Final = 8
_LOCAL_NAMES: Final = {"localhost", "127.0.0.1", "::1"}


class Setup:
    """The page /setup, which exists until somebody has an account."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._one_at_a_time = asyncio.Lock()

    async def show(self, ask: Ask) -> Response:
        """The form for the owner's account."""
        if await ask.deps.catalog.people.all():
            return redirect("/login")
        token = ask.request.query_params.get("token", "")
        self._check(ask, token)
        return ask.page("setup.html", token=token, email="", problem="")

    async def create(self, ask: Ask) -> Response:
        """Create the owner, log in, and go on to the first site."""
        form = await ask.form()
        token, email = form.get("token", ""), form.get("email", "").strip()
        password = form.get("password", "")
        self._check(ask, token)
        people = ask.deps.catalog.people
        try:
            check_password(password, form.get("again", ""))
            # Two people with the link at once must not both become the owner.
            async with self._one_at_a_time:
                if await people.all():
                    return redirect("/login")
                await people.add(email, password, owner=True)
        except Invalid as error:
            problem = error.reason if isinstance(error, Malformed) else str(error)
            return ask.page("setup.html", status=400, token=token, email=email, problem=problem)
        response = redirect("/sites/new")
        remember(ask, response, await people.log_in(email, password))
        return response

    def _check(self, ask: Ask, token: str) -> None:
        expected = ask.deps.setup_token or ""
        if expected and hmac.compare_digest(token.encode(), expected.encode()):
            return
        self._throttle.take(f"setup {ask.deps.client(ask.request)}")
        raise Forbidden(
            "This setup link is not valid. Open the link that `analytics serve` printed last; "
            "each start prints a new one."
        )


def check_password(password: str, again: str, *, before: str | None = None) -> None:
    """Raise `Malformed` for a password too short, typed differently, or the same as *before*."""
    if password == before:
        raise Malformed("password", "Choose a password other than the current one.")
    if len(password) < MIN_PASSWORD_CHARS:
        raise Malformed(
            "password", f"Choose a password of at least {MIN_PASSWORD_CHARS} characters."
        )
    if password != again:
        raise Malformed("again", "The two passwords differ. Type the same one twice.")


async def welcome(ask: Ask) -> Response:
    """`/` before anybody has an account: on to the setup page from this machine, else a hint."""
    if ask.deps.setup_token and _direct_from_here(ask.request):
        return redirect("/setup?" + urlencode({"token": ask.deps.setup_token}))
    return ask.page("welcome.html")


def _direct_from_here(request: Request) -> bool:
    """Whether a browser on this machine asks, with no proxy and no foreign name between.

    The name matters: a page elsewhere can point its own name at 127.0.0.1, and would read
    the token from our reply.
    """
    if request.client is None or request.url.hostname not in _LOCAL_NAMES:
        return False
    if any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via")):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
