"""The cookie of a session: its name, and whose it is."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from analytics.catalog.base import People
from analytics.errors import AnalyticsError
from analytics.person import Person

COOKIE: Final = "analytics_session"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"
"""Over https: browsers take a cookie of this name from this very host alone, so that no other
host of the domain can set one."""


def scheme(request: Request, public_url: str) -> str:
    """`https` where the browser speaks it, if only to a proxy in front of us.

    As *public_url* says; without it, as the proxy does. The header needs no trust: it changes
    nothing but the reply to whoever sent it.
    """
    if public_url:
        return public_url.partition(":")[0]
    told = request.headers.get("x-forwarded-proto", "")
    return told if told in ("http", "https") else str(request.scope.get("scheme", "http"))


def cookie_name(request: Request, public_url: str) -> str:
    """Return under which name the browser that sends *request* keeps its session."""
    return SECURE_COOKIE if scheme(request, public_url) == "https" else COOKIE


def token(request: Request, public_url: str) -> str:
    """Return the token of the session; "" without one."""
    return request.cookies.get(cookie_name(request, public_url), "")


async def person(people: People, request: Request, public_url: str) -> Person | None:
    """Return who is logged in and sends *request*."""
    known = token(request, public_url)
    return await people.logged_in(known) if known else None


async def is_owners(people: People, scope: Scope, public_url: str) -> bool:
    """Return whether an owner sends this request; not, while the catalog cannot be asked."""
    try:
        known = await person(people, Request(scope), public_url)
    except AnalyticsError:
        return False
    return known is not None and known.owner and not known.must_change
