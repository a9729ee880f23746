"""The parts of the program that the dashboard's pages use."""

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
from analytics.exploration import Exploration, ExplorationResult
from analytics.loop_pacing import LoopPacer
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import Query, Recent, Result
from analytics.registry.base import Listed
from analytics.store import lag as lags
from analytics.store.base import Erases, ErasesVisits, KeepsImports
from analytics.store.lag import Lag
from analytics.store.sql_question import AnswersSql


class PageStore(AnswersSql, KeepsImports, Protocol):
    """The part of a store that pages use."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""

    async def explore(self, exploration: Exploration) -> ExplorationResult:
        """As `SeriesStore.explore`."""

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
    """The part of a store through which pages delete rows."""


class RouteDescription(Protocol):
    """One line of the table of routes."""

    @property
    def path(self) -> str:
        """The path, with variable parts in braces: `/{domain}/live`."""

    @property
    def methods(self) -> str:
        """The HTTP methods, separated by commas."""

    @property
    def module(self) -> str:
        """The name of the module that the route belongs to."""

    @property
    def served(self) -> bool:
        """Whether this server serves the route."""


def no_table() -> Sequence[RouteDescription]:
    """Return an empty table of routes."""
    return ()


async def no_replicas() -> Sequence[Listed]:
    """Return an empty list: the server runs without a registry."""
    return ()


async def never_changed() -> AsyncIterator[None]:
    """Never yield: the signal of a server that stores nothing. Live pages follow the clock only."""
    await asyncio.Event().wait()
    yield


async def settled() -> None:
    """Return at once: nothing waits to be stored."""


def never() -> bool:
    """Return False."""
    return False


def peer(request: Request) -> str:
    """Return the address of the connection that *request* came in on."""
    return request.client.host if request.client else ""


def unnamed(_: Request) -> str:
    """Return "": the browser has no name."""
    return ""


@dataclass(frozen=True, kw_only=True)
class DashboardContext:
    """The parts of the program that pages use, with defaults for a program that lacks some."""

    catalog: Catalog
    store: PageStore
    erases: ErasesRows
    clock: Callable[[], int]
    """Now, in UTC milliseconds."""
    setup_token: str | None = None
    """Opens the first-run page while nobody has an account."""
    changed: Callable[[], AsyncIterator[None]] = never_changed
    """Each call returns a new iterator. A step returns once rows were stored since the step
    before (many writes may count as one); the iteration ends when the program stops."""
    settle: Callable[[], Awaitable[None]] = settled
    """Returns when everything appended before the call is in the store."""
    lag: Callable[[], Lag | None] = lags.none
    """Returns how far the figures are behind; None while the delay is not worth mentioning."""
    stopping: Callable[[], bool] = never
    """Whether the server is shutting down, so that streams of live pages must end."""
    breakers: Sequence[Breaker] = ()
    """The circuit breakers of the servers behind this one."""
    loops: Sequence[LoopState] = ()
    """The state of each background loop of the server."""
    replicas: Callable[[], Awaitable[Sequence[Listed]]] = no_replicas
    """Returns all running replicas, including this one; raises `RegistryUnavailable`."""
    table: Callable[[], Sequence[RouteDescription]] = no_table
    """Returns every route, ordered by module."""
    max_streams: int = bounds.STREAMS
    """The most streams of live figures that may be open at a time."""
    public_url: str = ""
    """The address at which browsers reach this server; "" to take it from each request."""
    browser: Callable[[Request], str] = unnamed
    """Returns a name by which a person recognises the browser of a session."""
    client: Callable[[Request], str] = peer
    """Returns the client's address, for throttling; behind a trusted proxy, not the proxy's."""

    @cached_property
    def current(self) -> CurrentVisitors:
        """The count of current visitors that all live pages share."""
        return CurrentVisitors(self.store, self.clock)

    @cached_property
    def boards(self) -> LiveBroadcasts:
        """The messages to live pages, made once for each site."""
        return LiveBroadcasts()

    @cached_property
    def stream_places(self) -> StreamLimits:
        """The count of open streams."""
        return StreamLimits(self.max_streams)

    @cached_property
    def frames(self) -> LoopPacer:
        """The pacer of page frames, so that sending many at once does not hold up events."""
        return LoopPacer()
