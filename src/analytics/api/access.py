"""Access to the Stats API: a key with the scope `stats:read`, for the sites that it acts on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.requests import Request

from analytics import access, bounds
from analytics.catalog.base import Catalog
from analytics.errors import Forbidden, Malformed, NotFound, TooLarge
from analytics.exploration import Exploration, ExplorationResult
from analytics.person import Key, Scope
from analytics.query import Query, Result
from analytics.site import Site
from analytics.store.base import SiteImport

Clock = Callable[[], int]
Wait = Callable[[str], Awaitable[None]]
"""Returns when a receipt's events are in the figures; raises `Malformed` or `NotVisibleYet`."""


class QueryableStore(Protocol):
    """The part of a store that the Stats API queries."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""

    async def explore(self, exploration: Exploration) -> ExplorationResult:
        """As `SeriesStore.explore`."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""

    async def imports(self, site: str) -> Sequence[SiteImport]:
        """As `KeepsImports.imports`."""


class StatsAccess:
    """The store, and the check that a request's key may read a site's figures."""

    def __init__(self, store: QueryableStore, catalog: Catalog, clock: Clock, wait: Wait) -> None:
        self.store = store
        self.clock = clock
        self._catalog = catalog
        self._wait = wait

    def site(self, request: Request, name: str) -> Site:
        """Return the site *name*, whose figures the request's key may read.

        Raise `Malformed` for an empty name, `Forbidden`, `NotFound`, or as `key`.
        """
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
        """Wait until the events of the receipts in the parameter `wait` are in the figures."""
        if (receipt := request.query_params.get("wait")) is not None:
            await self._wait(receipt)

    def key(self, request: Request) -> Key:
        """Return the request's key. Raise `Unauthenticated`, or `Forbidden`: no `stats:read`."""
        key = access.key(request.headers.get("authorization", ""), self._catalog.keys)
        return access.check(key, Scope.STATS_READ)


async def body_of(request: Request) -> bytes:
    """Return the body of a question. Raise `TooLarge`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bounds.QUESTION_BYTES:
            raise TooLarge(f"A question has at most {bounds.QUESTION_BYTES:,} bytes.")
    return bytes(body)
