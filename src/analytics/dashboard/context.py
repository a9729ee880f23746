"""What the dashboard's pages need from the rest of the program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from starlette.requests import Request

from analytics import bounds
from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.catalog.base import Catalog
from analytics.dashboard.current_visitors import CurrentVisitors
from analytics.dashboard.live_broadcast import LiveBroadcasts
from analytics.dashboard.stream_limits import StreamLimits
from analytics.loop_pacing import LoopPacer
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import Query, Recent, Result
from analytics.registry.base import Listed
from analytics.store import lag as lags
from analytics.store.base import Erases, ErasesVisits
from analytics.store.lag import Lag


class PageStore(Protocol):
    """The part of a store that pages read."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""

    async def recent(self, sites: Collection[str], now: int) -> Mapping[str, Recent]:
        """As `Overviews.recent`."""

    async def current(self, now: int) -> Mapping[str, int]:
        """As `Overviews.current`."""

    async def unknown_sites(self, since: int, most: int) -> Sequence[tuple[str, int]]:
        """As `Overviews.unknown_sites`."""

    async def foreign_hosts(self, site: str, since: int, most: int) -> Sequence[tuple[str, int]]:
        """As `Overviews.foreign_hosts`."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""

    async def ledger(self, site: str | None = None) -> Mapping[LedgerKey, LedgerLine]:
        """As `SeriesStore.ledger`."""


class ErasesRows(Erases, ErasesVisits, Protocol):
    """What pages delete rows by."""


class RouteDescription(Protocol):
    """One path of the table of routes."""

    @property
    def path(self) -> str:
        """With names in braces for what varies."""

    @property
    def methods(self) -> str:
        """With commas."""

    @property
    def module(self) -> str:
        """The module that it belongs to."""

    @property
    def served(self) -> bool:
        """Whether this server answers for it."""


def no_table() -> Sequence[RouteDescription]:
    """No routes."""
    return ()


async def no_replicas() -> Sequence[Listed]:
    """The list of a program that has none."""
    return ()


async def never_changed() -> AsyncIterator[None]:
    """The signal of a program that stores nothing: live pages then only follow the clock."""
    await asyncio.Event().wait()
    yield


async def settled() -> None:
    """Nothing is on its way into the store."""


def never() -> bool:
    """No."""
    return False


def peer(request: Request) -> str:
    """The address that the request came from, as the server sees it."""
    return request.client.host if request.client else ""


def unnamed(_: Request) -> str:
    """No name."""
    return ""


@dataclass(frozen=True, kw_only=True)
class DashboardContext:
    """The pages' view of the program."""

    catalog: Catalog
    store: PageStore
    erases: ErasesRows
    clock: Callable[[], int]
    """Now, in UTC milliseconds."""
    setup_token: str | None = None
    """Opens the first-run page while nobody has an account."""
    changed: Callable[[], AsyncIterator[None]] = never_changed
    """Each call follows the store anew: a step returns when rows were stored since the last
    step (many writes may count as one); the iteration ends when the program stops."""
    settle: Callable[[], Awaitable[None]] = settled
    """Returns when everything appended before the call is in the store."""
    lag: Callable[[], Lag | None] = lags.none
    """What the figures lack, where it is worth a word."""
    stopping: Callable[[], bool] = never
    """Whether the server is on its way out: live pages then let go of it."""
    breakers: Sequence[Breaker] = ()
    """What watches the servers behind this one."""
    loops: Sequence[LoopState] = ()
    """The state of each background loop of the server."""
    replicas: Callable[[], Awaitable[Sequence[Listed]]] = no_replicas
    """Who is there, this server included; raises `RegistryUnavailable`."""
    table: Callable[[], Sequence[RouteDescription]] = no_table
    """Every route, in the order of the modules."""
    max_streams: int = bounds.STREAMS
    """How many pages may be told live figures at a time."""
    public_url: str = ""
    """The address at which browsers reach this server; "" where requests tell it."""
    browser: Callable[[Request], str] = unnamed
    """By which name the person will know the browser of a session."""
    client: Callable[[Request], str] = peer
    """The visitor's address, for throttling; behind a trusted proxy not the proxy's."""

    @cached_property
    def current(self) -> CurrentVisitors:
        """The count of current visitors that all live pages share."""
        return CurrentVisitors(self.store, self.clock)

    @cached_property
    def boards(self) -> LiveBroadcasts:
        """What live pages are told, for each site once."""
        return LiveBroadcasts()

    @cached_property
    def stream_places(self) -> StreamLimits:
        """The places of the streams that are open."""
        return StreamLimits(self.max_streams)

    @cached_property
    def frames(self) -> LoopPacer:
        """What everybody goes through who is sent the frame of a page ahead of its figures."""
        return LoopPacer()
