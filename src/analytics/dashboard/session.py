"""The cookie of a session, and the person whose session it is."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from analytics.catalog.base import People
from analytics.errors import AnalyticsError
from analytics.person import Person

COOKIE: Final = "analytics_session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"
"""The name over https. Browsers accept cookies with this prefix from this very host only, so that
no other host of the domain can set one."""


def scheme(request: Request, public_url: str) -> str:
    """Return `https` if the browser uses it, even if only to a proxy in front of the server.

    The scheme is that of *public_url*, or else what the proxy reports. The header need not be
    trusted: it affects only the response to its sender.
    """
    if public_url:
        return public_url.partition(":")[0]
    forwarded = request.headers.get("x-forwarded-proto", "")
    return forwarded if forwarded in ("http", "https") else str(request.scope.get("scheme", "http"))


def cookie_name(request: Request, public_url: str) -> str:
    """Return the name of the session cookie for *request*."""
    return SECURE_COOKIE if scheme(request, public_url) == "https" else COOKIE


def token(request: Request, public_url: str) -> str:
    """Return the token of the session; "" without one."""
    return request.cookies.get(cookie_name(request, public_url), "")


async def person(people: People, request: Request, public_url: str) -> Person | None:
    """Return the person whose session *request* carries; None without a valid one."""
    session = token(request, public_url)
    return await people.logged_in(session) if session else None


async def is_owners(people: People, scope: Scope, public_url: str) -> bool:
    """Return True if the request carries an owner's session, and the catalog can tell."""
    try:
        sender = await person(people, Request(scope), public_url)
    except AnalyticsError:
        return False
    return sender is not None and sender.owner and not sender.must_change
