"""A replica's `SeriesStore`: answers from its own copy, which follows the cluster's chunks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self, TypeVar

from msgspec import structs

from analytics import time_span
from analytics.background import LoopState
from analytics.errors import Misconfigured, QueryTooLong, StoreUnavailable
from analytics.exploration import Exploration, ExplorationResult
from analytics.pipeline.ledger import LedgerKey, LedgerLine, WriteBatch
from analytics.query import Query, Recent, Result
from analytics.store.base import (
    Audits,
    Builds,
    Compacts,
    Erases,
    ExportFormat,
    Exports,
    ImportAdded,
    ImportedFile,
    KeepsImports,
    Overviews,
    Progress,
    Rebuilds,
    RebuiltSite,
    SeriesStore,
    SiteImport,
    Snapshots,
    StoredDays,
)
from analytics.store.chunks.base import ChunkReader
from analytics.store.duckdb import DuckDBStore
from analytics.store.duckdb.hot_window import RowsEvicted
from analytics.store.freshness import Ends, Freshness
from analytics.store.lag import STALE_MS, Lag
from analytics.store.replica.erasure_requests import ErasureLog, ReplicaErasure
from analytics.store.replica.follower import ChunkFollower
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.replica.remote_query_client import RemoteQueries
from analytics.store.sql_question import AnswersSql, SqlAnswer, SqlQuestion

T = TypeVar("T")

_NO_IMPORTS: Final = (
    "a cluster cannot keep the daily sums of another product yet: they would be in the figures of"
    " one replica alone. Import the access logs of that time instead, or keep the site on a server"
    " of its own"
)
_BY_FILTER: Final = (
    "a cluster cannot erase by a filter yet: chunks are searched by visitor and by time alone."
    " Erase the visitors, with the numbers that an export shows, or the whole site"
)
_NO_REBUILD: Final = (
    "a cluster cannot rebuild figures yet: its chunks are rewritten by erasures alone, and a"
    " replica cannot tell a chunk whose visits were decided again from the one that it has. Events"
    " that come from now on follow today's rules; stored ones stay as they were decided"
)


class ReplicaStore:
    """A `SeriesStore` of what other processes write."""

    def __init__(
        self,
        source: ChunkReader,
        engine: DuckDBStore,
        scratch: Path,
        *,
        partitions: int,
        clock: Callable[[], int],
        history: RemoteQueries,
        orders: ErasureLog | None = None,
        ends: Ends | None = None,
    ) -> None:
        """Without *orders*, it only reads; without *ends* of the log, it knows only who is away."""
        self._engine = engine
        self._history = history
        self._clock = clock
        self._stack = AsyncExitStack()
        self.follower = ChunkFollower(source, engine, scratch, partitions=partitions, clock=clock)
        self._freshness = (
            None if ends is None else Freshness(ends, lambda: self.follower.next_offsets, clock)
        )
        self._opened_at = clock()
        self._orders = (
            None if orders is None else ReplicaErasure(orders, engine, self.follower.reached, clock)
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._history.close)
            await stack.enter_async_context(self._engine)
            await stack.enter_async_context(self.follower)
            if self._freshness is not None:
                await stack.enter_async_context(self._freshness)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def loops(self) -> Sequence[LoopState]:
        """The state of its background loops."""
        freshness = () if self._freshness is None else (self._freshness.loop,)
        return (self.follower.loop, *freshness)

    async def query(self, query: Query) -> Result:
        """Answer *query* from this replica's rows; set `as_of` if these may lack events."""
        lag = self.lag()
        try:
            result = await self._engine.query(query)
        except RowsEvicted as gone:
            result = await self._from_history(gone, self._history.ask)
        if lag is None:
            return result
        as_of = lag.as_of or await self._engine.newest() or 0
        return structs.replace(result, as_of=as_of, waiting=lag.records)

    async def explore(self, exploration: Exploration) -> ExplorationResult:
        """Answer *exploration* as `query` does."""
        lag = self.lag()
        try:
            result = await self._engine.explore(exploration)
        except RowsEvicted as gone:
            result = await self._from_history(gone, self._history.explore)
        if lag is None:
            return result
        as_of = lag.as_of or await self._engine.newest() or 0
        return structs.replace(result, as_of=as_of, waiting=lag.records)

    async def sql(self, question: SqlQuestion) -> SqlAnswer:
        """Answer a SELECT from the rows that are here; the answer says which were evicted."""
        lag = self.lag()
        answer = await self._engine.sql(question)
        if lag is None:
            return answer
        return structs.replace(answer, as_of=lag.as_of or await self._engine.newest() or 0)

    @property
    def complete_at(self) -> int:
        """The latest instant (ms) up to which nothing is missing here; 0 if unknown."""
        moments = [self._clock()]
        if self.follower.fault is not None:
            moments.append(self.follower.complete_at)
        if self._freshness is not None:
            moments.append(self._freshness.complete_at)
        return min(moments)

    def lag(self) -> Lag | None:
        """Return what the figures lack, or None unless something has been missing for long."""
        complete_at, now = self.complete_at, self._clock()
        # The ends of the log are first read after the start.
        known_at = complete_at if self.follower.fault else max(complete_at, self._opened_at)
        if now - known_at <= STALE_MS:
            return None
        return Lag(0 if self._freshness is None else self._freshness.missing, complete_at)

    async def _from_history(
        self, error: RowsEvicted, ask: Callable[[RemoteQuery], Awaitable[T]]
    ) -> T:
        """Return the Spark job's answer, which has the rows that this replica evicted.

        Raise `StoreUnavailable` if the job does not answer, and `QueryTooLong`.
        """
        ends = dict(await self._engine.offsets())
        remote = RemoteQuery.of(error.asked, ends=ends, kept_since=error.kept_since)
        try:
            return await ask(remote)
        except QueryTooLong:
            raise
        except StoreUnavailable as exc:
            raise StoreUnavailable(
                f"{error}, and the Spark job, which can answer about them, does not: {exc}. Ask"
                f" for days from {error.day} on, or see that `analytics spark-job` runs, and is"
                " reached at spark.address"
            ) from exc

    async def write(self, batch: WriteBatch) -> None:
        """Raise `Misconfigured`: a replica's rows come from the Spark job."""
        raise Misconfigured("a replica of a cluster writes no rows; the stream job does")

    async def offsets(self) -> Mapping[int, int]:
        """Return the next offset to read of each partition of the log."""
        return await self._engine.offsets()

    async def recent(self, sites: Collection[str], now: int) -> Mapping[str, Recent]:
        """Return the last 24 hours of each of *sites*; those without any event are left out."""
        return await self._engine.recent(sites, now)

    async def current(self, now: int) -> Mapping[str, int]:
        """Return how many visitors each site has now; sites without any are left out."""
        return await self._engine.current(now)

    async def unknown_sites(self, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the names that hits received since then gave as a site, and that were none."""
        return await self._engine.unknown_sites(since, most)

    async def foreign_hosts(self, site: str, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the hostnames that are not the site's, of hits left out since then for that."""
        return await self._engine.foreign_hosts(site, since, most)

    async def ledger(
        self,
        site: str | None = None,
        *,
        span: tuple[int, int] = time_span.ALWAYS,
        most: int | None = None,
    ) -> Mapping[LedgerKey, LedgerLine]:
        """See `SeriesStore.ledger`."""
        return await self._engine.ledger(site, span=span, most=most)

    async def first_event(self, site: str) -> int | None:
        """See `Lookups.first_event`."""
        return await self._engine.first_event(site)

    async def newest(self) -> int | None:
        """See `Lookups.newest`."""
        return await self._engine.newest()

    async def build_cells(self, now: int) -> int:
        """Bring this replica's cells up to the last whole day."""
        return await self._engine.build_cells(now)

    async def export(
        self,
        site: str,
        from_ms: int,
        to_ms: int,
        kind: ExportFormat,
        path: Path,
        progress: Progress = lambda _: None,
        *,
        visitor: int | None = None,
    ) -> int:
        """Write the rows with `ts` in [from_ms, to_ms) to *path*; return their number."""
        return await self._engine.export(
            site, from_ms, to_ms, kind, path, progress, visitor=visitor
        )

    async def stored_days(self, site: str, timezone: str) -> StoredDays:
        """Return the days of *site* in *timezone* that have rows here."""
        return await self._engine.stored_days(site, timezone)

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Count the rows of a visitor (None: of the site) that are here."""
        return await self._engine.count_rows(site, visitor)

    async def retain(self, site: str, before_ms: int) -> int:
        """Request that the days that ended by then be deleted everywhere; return 0."""
        await self._erasing().retain(site, before_ms)
        return 0

    async def erase_visitor(self, site: str, visitor: int) -> int:
        """Erase a visitor everywhere; return the number of rows deleted here."""
        return await self._erasing().erase(site, visitor)

    async def delete_site(self, site: str) -> int:
        """Erase a site's rows everywhere; return the number of rows deleted here."""
        return await self._erasing().erase(site, None)

    async def count_visits(self, query: Query) -> tuple[int, int]:
        """Raise `Misconfigured`: a cluster cannot erase by filter."""
        raise Misconfigured(_BY_FILTER)

    async def erase_visits(self, query: Query) -> tuple[int, int]:
        """Raise `Misconfigured`: a cluster cannot erase by filter."""
        raise Misconfigured(_BY_FILTER)

    async def add_import(self, site: str, timezone: str, added: ImportedFile) -> ImportAdded:
        """Raise `Misconfigured`: the sums would be in this replica's figures alone."""
        raise Misconfigured(_NO_IMPORTS)

    async def imports(self, site: str) -> Sequence[SiteImport]:
        """Return no import, as a cluster keeps none."""
        return ()

    async def remove_import(self, site: str, number: int) -> SiteImport:
        """Raise `Misconfigured`, as a cluster keeps no imports."""
        raise Misconfigured(_NO_IMPORTS)

    async def rebuild(
        self, site: str, timezone: str, *, apply: bool, progress: Progress = lambda _: None
    ) -> RebuiltSite:
        """Raise `Misconfigured`: a cluster cannot rebuild."""
        raise Misconfigured(_NO_REBUILD)

    async def compaction_due(self) -> bool:
        """Return whether this replica's file still holds the bytes of deleted rows."""
        return await self._engine.compaction_due()

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Return when it does not. The cluster's servers compact their own files."""
        await self._engine.compact(progress)

    async def recount(self, site: str | None = None) -> Mapping[LedgerKey, int]:
        """Return the number of rows here under each key of the ledger."""
        return await self._engine.recount(site)

    async def snapshot(self, path: Path) -> None:
        """Write a consistent copy of this replica's rows to *path*."""
        await self._engine.snapshot(path)

    def _erasing(self) -> ReplicaErasure:
        if self._orders is None:
            raise Misconfigured("this replica reads no log, so it cannot erase anything")
        return self._orders


_: type[SeriesStore] = ReplicaStore
_can: tuple[
    type[AnswersSql],
    type[Audits],
    type[Builds],
    type[Compacts],
    type[Erases],
    type[Exports],
    type[KeepsImports],
    type[Overviews],
    type[Rebuilds],
    type[Snapshots],
] = (ReplicaStore,) * 10
