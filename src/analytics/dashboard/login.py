"""Logging in and out."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from starlette.responses import Response

from analytics import problem
from analytics.dashboard import device_cookie, session
from analytics.dashboard.login_guard import LoginGuard
from analytics.dashboard.page_request import MAX_PASSWORD_FORM_BYTES, PageRequest, redirect
from analytics.errors import TooMany, Unauthenticated
from analytics.person import MAX_EMAIL_CHARS

SESSION_SECONDS: Final = 30 * 24 * 3600
_MAX_NEXT_BYTES: Final = 2048


class Login:
    """The pages /login and /logout."""

    def __init__(self, guard: LoginGuard) -> None:
        self._guard = guard

    async def show(self, ask: PageRequest) -> Response:
        """Show the form; redirect somebody who is logged in already."""
        after = local_path(ask.request.query_params.get("next", "/"))
        if ask.person is not None:
            return redirect(after)
        if not await ask.deps.catalog.people.all():
            return redirect("/")
        return ask.page("login.html", after=after, email="", problem="")

    async def enter(self, ask: PageRequest) -> Response:
        """Log in; the answer to a failure does not tell a wrong email from a wrong password."""
        form = await ask.form(MAX_PASSWORD_FORM_BYTES)
        email = form.get("email", "").strip().lower()
        after = local_path(form.get("next", "/"))
        try:
            token = await self._try(ask, email, form.get("password", ""))
        except TooMany as error:
            response: Response = ask.page(
                "login.html", status=429, after=after, email=email, problem=str(error)
            )
            response.headers.update(dict(problem.headers(error)))
            return response
        except Unauthenticated:
            fault = "The email or the password is wrong."
            return ask.page("login.html", status=401, after=after, email=email, problem=fault)
        response = redirect(after)
        remember(ask, response, token)
        await remember_device(ask, response, email)
        return response

    async def _try(self, ask: PageRequest, email: str, password: str) -> str:
        """Return the token of a new session. Raise `TooMany`, `Unauthenticated`."""
        if len(email) > MAX_EMAIL_CHARS:
            raise Unauthenticated("no account has an email address of this length")
        people = ask.deps.catalog.people
        address = ask.deps.client(ask.request)
        key = await people.device_key(email)
        used = _device(ask)
        device = used.name.hex() if key is not None and used.belongs_to(key) else None
        async with self._guard.attempt(email, address, device) as at_home:
            browser = ask.deps.browser(ask.request)
            return await people.log_in(email, password, at_home=at_home, browser=browser)


async def leave(ask: PageRequest) -> Response:
    """Log out: end the session and delete its cookie."""
    if ask.session:
        await ask.deps.catalog.people.log_out(ask.session)
    response = redirect("/login")
    name = session.cookie_name(ask.request, ask.deps.public_url)
    response.delete_cookie(name, path="/", httponly=True, secure=ask.scheme() == "https")
    return response


async def remember_device(ask: PageRequest, response: Response, email: str) -> None:
    """Set the cookie that marks the browser as one used for the account of *email*."""
    key = await ask.deps.catalog.people.device_key(email)
    if key is None:
        return
    response.set_cookie(
        device_cookie.NAME,
        _device(ask).joined(key).cookie(),
        max_age=device_cookie.SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
        secure=ask.scheme() == "https",
    )


def _device(ask: PageRequest) -> device_cookie.Device:
    return device_cookie.read(ask.request.cookies.get(device_cookie.NAME, ""))


def remember(ask: PageRequest, response: Response, token: str) -> None:
    """Set the cookie of the session with *token*."""
    response.set_cookie(
        session.cookie_name(ask.request, ask.deps.public_url),
        token,
        max_age=SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=ask.scheme() == "https",
    )


def local_path(text: str) -> str:
    """Return *text* if it is a path on this server that fits into the login form, else `/`.

    Without this check, a link to the login page could send its reader on to another site.
    """
    too_long = len(quote_plus(text, errors="replace")) > _MAX_NEXT_BYTES
    elsewhere = not text.startswith("/") or text.startswith("//") or "\\" in text
    if too_long or elsewhere or not text.isprintable():
        return "/"
    return text
