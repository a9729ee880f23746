"""Logging in and out."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from analytics import problem
from analytics.dashboard.ask import COOKIE, Ask, redirect
from analytics.dashboard.throttle import Throttle
from analytics.errors import TooMany, Unauthenticated
from analytics.limiter import sender

SESSION_SECONDS: Final = 30 * 24 * 3600


class Login:
    """The pages /login and /logout."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def show(self, ask: Ask) -> Response:
        """The form; or on to the sites for somebody who is logged in already."""
        after = local_path(ask.request.query_params.get("next", "/"))
        if ask.person is not None:
            return redirect(after)
        if not await ask.deps.catalog.people.all():
            return redirect("/")
        return ask.page("login.html", after=after, email="", problem="")

    async def enter(self, ask: Ask) -> Response:
        """Check the password; the reply to a wrong one does not say which part was wrong."""
        form = await ask.form()
        email = form.get("email", "").strip().lower()
        after = local_path(form.get("next", "/"))
        names = (f"address {sender(ask.deps.client(ask.request))}", f"email {email}")
        try:
            for name in names:
                self._throttle.take(name)
            token = await ask.deps.catalog.people.log_in(email, form.get("password", ""))
        except TooMany as error:
            response: Response = ask.page(
                "login.html", status=429, after=after, email=email, problem=str(error)
            )
            response.headers.update(dict(problem.headers(error)))
            return response
        except Unauthenticated:
            fault = "This email and password do not belong together."
            return ask.page("login.html", status=401, after=after, email=email, problem=fault)
        for name in names:
            self._throttle.forgive(name)
        response = redirect(after)
        remember(ask, response, token)
        return response


async def leave(ask: Ask) -> Response:
    """End the session, here and in the catalog."""
    if token := ask.request.cookies.get(COOKIE):
        await ask.deps.catalog.people.log_out(token)
    response = redirect("/login")
    response.delete_cookie(COOKIE, path="/")
    return response


def remember(ask: Ask, response: Response, token: str) -> None:
    """Let the browser keep the session."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=ask.scheme() == "https",
    )


def local_path(text: str) -> str:
    """*text* if it is a path of this server, else `/`: a link must not lead elsewhere."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    return text
