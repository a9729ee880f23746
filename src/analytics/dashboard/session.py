"""The session of a request that is not for a page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Scope

from analytics.dashboard.ask import COOKIE
from analytics.errors import AnalyticsError
from analytics.store.catalog.base import People


async def is_owners(people: People, scope: Scope) -> bool:
    """Return whether an owner sends this request; not, while the catalog cannot be asked."""
    token = Request(scope).cookies.get(COOKIE)
    if not token:
        return False
    try:
        person = await people.logged_in(token)
    except AnalyticsError:
        return False
    return person is not None and person.owner and not person.must_change
