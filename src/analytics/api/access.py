"""Who may ask the Stats API: a key with the scope `stats:read`, on the sites that it is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.requests import Request

from analytics import access
from analytics.catalog.base import Catalog
from analytics.errors import Forbidden, Malformed, NotFound
from analytics.person import Key, Scope
from analytics.query import Query, Result
from analytics.site import Site

Clock = Callable[[], int]
Wait = Callable[[str], Awaitable[None]]
"""Returns when a receipt's events are in the figures; raises `Malformed` or `NotVisibleYet`."""


class QueryableStore(Protocol):
    """The part of a store that answers."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


class StatsAccess:
    """The store, for requests whose key may read a site's figures."""

    def __init__(self, store: QueryableStore, catalog: Catalog, clock: Clock, wait: Wait) -> None:
        self.store = store
        self.clock = clock
        self._catalog = catalog
        self._wait = wait

    def site(self, request: Request, name: str) -> Site:
        """The site of that name, if the request's key may read its figures."""
        key = self.key(request)
        if not name:
            raise Malformed("site_id", "is missing; send the site's domain")
        site = self._catalog.sites.get(name)
        if key.site is not None and (site is None or site.domain != key.site):
            raise Forbidden(f"This key is for {key.site} only.")
        if site is None:
            raise NotFound(f"There is no site {name!r} here.")
        return site

    async def settled(self, request: Request) -> None:
        """Wait for what `?wait=` names."""
        if (receipt := request.query_params.get("wait")) is not None:
            await self._wait(receipt)

    def key(self, request: Request) -> Key:
        """The key that came with the request, if it may read figures at all."""
        key = access.key(request.headers.get("authorization", ""), self._catalog.keys)
        return access.check(key, Scope.STATS_READ)
