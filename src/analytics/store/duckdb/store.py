"""The embedded store: a `SeriesStore` in one DuckDB file."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

import structlog
from msgspec import structs

from analytics import localtime, time_span
from analytics.errors import Conflict, StoreUnavailable
from analytics.exchange_rates import ExchangeRates
from analytics.exploration import Exploration, ExplorationResult
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.ledger import LedgerKey, LedgerLine, WriteBatch
from analytics.pipeline.replay import ReplayedRow
from analytics.pipeline.source import Sources
from analytics.pipeline.visit import Visit
from analytics.query import Filter, Query, Recent, Result
from analytics.store import lag as lags
from analytics.store.base import (
    Absorbs,
    Audits,
    Builds,
    Compacts,
    Erases,
    ExportFormat,
    Exports,
    ImportAdded,
    ImportedFile,
    KeepsImports,
    Lookups,
    Overviews,
    Prepared,
    Progress,
    SeriesStore,
    SiteImport,
    Snapshots,
    StoredDays,
)
from analytics.store.connection import Connection
from analytics.store.duckdb import (
    apply,
    cell_builder,
    compaction,
    executor,
    explorations,
    export,
    hot_window,
    imported_sums,
    ledger,
    lookups,
    overview,
    row_erasure,
    row_replay,
    stored_days,
    writing,
)
from analytics.store.duckdb.cell_builder import CellBuilder
from analytics.store.duckdb.cell_statements import CellPlan
from analytics.store.duckdb.engine import Engine
from analytics.store.duckdb.row_erasure import MatchingRows, MatchingVisits
from analytics.store.duckdb.sql_process import SqlLimits, SqlProcesses
from analytics.store.duckdb.threads import StoreThreads
from analytics.store.lag import Lag
from analytics.store.result_cache import ResultCache
from analytics.store.sql.measures import REVENUE_METRICS
from analytics.store.sql_question import AnswersSql, SqlAnswer, SqlQuestion
from analytics.units import DAY_MS

log = structlog.get_logger()

_PROGRESS_EVERY_S: Final = 0.2


class DuckDBStore:
    """A `SeriesStore` in one DuckDB file, which one process owns while it is open."""

    def __init__(
        self,
        path: Path,
        *,
        memory_limit: str = "512MB",
        threads: int = 2,
        readers: int = 2,
        queue_timeout_s: float = 20,
        query_timeout_s: float = 30,
        timezones: Callable[[], Mapping[str, str]] = dict,
        goals: Callable[[], Mapping[str, Sequence[Filter]]] = dict,
        lag: Callable[[], Lag | None] = lags.none,
        rebuild_at_most_every_ms: int = 600_000,
        hot_days: int = 0,
        sql: SqlLimits | None = None,
        rates: Callable[[], ExchangeRates] | None = None,
    ) -> None:
        self._path = path
        self._rates = rates
        self._threads = StoreThreads(
            partial(Engine, path, memory_limit, threads),
            readers=readers,
            queue_timeout_s=queue_timeout_s,
        )
        self._query_timeout_s = query_timeout_s
        self._lag = lag
        self._scratch = path.parent / "scratch"
        self._sql = SqlProcesses(self._threads, self._scratch, sql or SqlLimits())
        self._file: writing.RowFile | None = None
        self._timezones = timezones
        self._goals = goals
        self._hot_ms = hot_days * DAY_MS
        self._builder = CellBuilder(at_most_every_ms=rebuild_at_most_every_ms)
        self._remembered = ResultCache()

    async def __aenter__(self) -> Self:
        await self._threads.open()
        await self._threads.write(self._prepare)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._threads.close()

    async def write(self, batch: WriteBatch) -> None:
        """Return when the rows, the ledger and the offset are durable, in one transaction."""
        await self._threads.write(partial(self._write, batch))

    async def absorb(self, prepared: Prepared) -> None:
        """Return when a batch processed elsewhere is durable, in one transaction."""
        await self._threads.write(partial(self._absorb, prepared))

    async def offsets(self) -> Mapping[int, int]:
        """Return the next offset to read of each partition of the log."""
        return await self._threads.read(ledger.offsets)

    async def query(self, query: Query) -> Result:
        """Answer *query* from every row written before the call."""
        lag = self._lag()  # before the answer, which may have more by then
        query = await self._with_rates(query)
        result = self._remembered.answer(query)
        if result is None:
            result = await self._threads.read(
                partial(self._answer, query=query), at_most_s=self._query_timeout_s
            )
        if lag is None:
            return result
        return structs.replace(result, as_of=await self._as_of(lag), waiting=lag.records)

    async def sql(self, question: SqlQuestion) -> SqlAnswer:
        """Answer a SELECT about the documented views, from every row written before the call."""
        lag = self._lag()
        answer = await self._sql.answer(question)
        return answer if lag is None else structs.replace(answer, as_of=await self._as_of(lag))

    async def explore(self, exploration: Exploration) -> ExplorationResult:
        """Answer *exploration* from every row written before the call."""
        lag = self._lag()
        result = self._remembered.answer(exploration)
        if result is None:
            result = await self._threads.read(
                partial(self._explored, exploration=exploration), at_most_s=self._query_timeout_s
            )
        if lag is None:
            return result
        return structs.replace(result, as_of=await self._as_of(lag), waiting=lag.records)

    async def recent(self, sites: Collection[str], now: int) -> Mapping[str, Recent]:
        """Return the last 24 hours of each of *sites*; those without any event are left out."""
        return await self._threads.read(
            partial(overview.recent, sites=sites, now=now), at_most_s=self._query_timeout_s
        )

    async def current(self, now: int) -> Mapping[str, int]:
        """Return how many visitors each site has now; sites without any are left out."""
        return await self._threads.read(
            partial(overview.current, now=now), at_most_s=self._query_timeout_s
        )

    async def unknown_sites(self, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the names that hits received since then gave as a site, and that were none."""
        return await self._threads.read(partial(ledger.unknown_sites, since=since, most=most))

    async def foreign_hosts(self, site: str, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the hostnames that are not the site's, of hits left out since then for that."""
        return await self._threads.read(
            partial(ledger.foreign_hosts, site=site, since=since, most=most)
        )

    async def ledger(
        self,
        site: str | None = None,
        *,
        span: tuple[int, int] = time_span.ALWAYS,
        most: int | None = None,
    ) -> Mapping[LedgerKey, LedgerLine]:
        """Return the ledger of one site, or of all, within *span*. Raises `Malformed`."""
        return await self._threads.read(partial(ledger.ledger, site=site, span=span, most=most))

    async def seen(self, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
        """Return the (site, event_id)s of stored *candidates*, with a `ts` within a day."""
        return await self._threads.read(partial(lookups.seen, candidates=candidates))

    async def visits(
        self, pairs: Collection[tuple[str, int]], *, touched_since: int = 0
    ) -> list[Visit]:
        """Return visits of these (site, visitor)s with a row received since then, in log order."""
        return await self._threads.read(
            partial(lookups.visits, pairs=pairs, touched_since=touched_since)
        )

    async def recent_visits(self, touched_since: int) -> list[Visit]:
        """Return every visit with a row received since then, in log order."""
        return await self._threads.read(partial(lookups.recent_visits, touched_since=touched_since))

    def recent_ids(self, received_since: int) -> AsyncGenerator[list[tuple[str, str]], None]:
        """Yield (site, event_id) of every row received since then, in chunks."""
        return self._threads.stream(partial(lookups.recent_ids, received_since=received_since))

    async def newest(self) -> int | None:
        """Return the latest `received_at` of the rows, or None without rows."""
        return await self._threads.read(lookups.newest)

    async def first_event(self, site: str) -> int | None:
        """Return the earliest `ts` of a site's rows, or None without rows."""
        return await self._threads.read(partial(lookups.first_event, site=site))

    async def build_cells(self, now: int) -> int:
        """Bring cells up to the last whole day; return the number of sites that were built."""
        worked = 0
        goals = self._goals()
        for site, timezone in self._timezones().items():
            plan = await self._threads.write(
                partial(
                    self._builder.plan,
                    site=site,
                    timezone=timezone,
                    now=now,
                    goals=goals.get(site, ()),
                )
            )
            if plan is not None:
                worked += 1
                await self._build(plan, now)
            if self._hot_ms:
                await self._threads.write(
                    partial(
                        hot_window.trim, site=site, timezone=timezone, before_ms=now - self._hot_ms
                    )
                )
        return worked

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
        step = partial(
            export.export,
            site=site,
            from_ms=from_ms,
            to_ms=to_ms,
            kind=kind,
            path=path,
            visitor=visitor,
        )
        return await self._threads.watch(step, progress)

    async def stored_days(self, site: str, timezone: str) -> StoredDays:
        """Return the days of *site* in *timezone* that have rows."""
        return await self._threads.read(partial(stored_days.of, site=site, timezone=timezone))

    async def erase_visitor(self, site: str, visitor: int) -> int:
        """Delete every row of a visitor; return their number."""
        return await self._erase(row_erasure.OF_VISITOR, {"site": site, "visitor": visitor})

    async def delete_site(self, site: str) -> int:
        """Delete every row of a site, but not its ledger; return their number."""
        return await self._erase(row_erasure.OF_SITE, {"site": site})

    async def count_visits(self, query: Query) -> MatchingVisits:
        """Return the number of visits that have a row which *query* matches, and of their rows."""
        return await self._threads.read(partial(row_erasure.count_visits, query=query))

    async def erase_visits(self, query: Query) -> MatchingVisits:
        """Delete every row of these visits; return the numbers of visits and rows."""

        def step(connection: Connection) -> MatchingVisits:
            with self._altering():
                visits, erased = row_erasure.erase_visits(connection, query)
            self._builder.note(erased.earliest)
            return visits

        return await self._threads.write(step)

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Count the rows that erasing a visitor (None: the whole site) would delete."""
        return (await self.matching(site, visitor)).rows

    async def retain(self, site: str, before_ms: int) -> int:
        """Delete the days (of the site) that ended by then; return the number of rows."""
        before_ms = self._whole_days(site, before_ms)

        def step(connection: Connection) -> int:
            with self._altering():
                return row_erasure.retain(connection, site=site, before_ms=before_ms)

        return await self._threads.write(step)

    async def retention_due(self, site: str, before_ms: int) -> int | None:
        """Return when (ms) figures would begin after `retain`; None if they do so already."""
        whole = self._whole_days(site, before_ms)
        due = await self._threads.read(partial(row_erasure.due, site=site, before_ms=whole))
        return whole if due else None

    async def matching(self, site: str, visitor: int | None) -> MatchingRows:
        """Return the number of rows of a visitor (None: of all visitors) of a site."""
        values: dict[str, object] = {"site": site}
        if visitor is not None:
            values["visitor"] = visitor
        which = row_erasure.OF_SITE if visitor is None else row_erasure.OF_VISITOR
        return await self._threads.read(partial(row_erasure.matching, which=which, values=values))

    async def add_import(self, site: str, timezone: str, added: ImportedFile) -> ImportAdded:
        """Add the sums in *added* that do not count already, all or none of them."""

        def step(connection: Connection) -> ImportAdded:
            with self._altering([site]):
                return imported_sums.add(connection, site, timezone, added)

        return await self._threads.write(step)

    async def imports(self, site: str) -> Sequence[SiteImport]:
        """Return the imports of *site* in the order in which they came."""
        return await self._threads.read(partial(imported_sums.every, site=site))

    async def remove_import(self, site: str, number: int) -> SiteImport:
        """Delete an import and all its sums; return what it was. Raise `NotFound`."""

        def step(connection: Connection) -> SiteImport:
            with self._altering([site]):
                return imported_sums.remove(connection, site, number)

        return await self._threads.write(step)

    async def replay(
        self, site: str, part: int, *, parts: int, sources: Sources
    ) -> list[ReplayedRow]:
        """Decide the rows of a part of *site* again, and change nothing."""
        step = partial(row_replay.part, site=site, number=part, parts=parts, sources=sources)
        return await self._threads.watch(step, lambda _: None)

    async def apply_replay(
        self, site: str, visitors: Collection[int], sources: Sources
    ) -> list[ReplayedRow]:
        """Decide all rows of *visitors* again, and return when the result is durable."""

        def step(connection: Connection) -> list[ReplayedRow]:
            with self._altering({site}):
                rows = row_replay.apply(
                    connection,
                    site=site,
                    visitors=visitors,
                    sources=sources,
                    folder=self._scratch,
                )
            for each in rows:
                if each.is_changed:
                    self._builder.note(writing.touched(each))
            return rows

        return await self._threads.write(step)

    async def recount(self, site: str | None = None) -> Mapping[LedgerKey, int]:
        """Return the number of rows stored under each key of the ledger, counted from the rows."""
        return await self._threads.read(partial(ledger.recount, site=site))

    async def compaction_due(self) -> bool:
        """Return whether the file still holds the bytes of deleted rows."""
        return await self._threads.read(compaction.due)

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Rewrite the file without these bytes, if there are any.

        Nothing is written meanwhile; questions are answered. Raises `StoreUnavailable` when the
        disk has no room for it.
        """
        if not await self.compaction_due():
            return
        began = time.monotonic()
        renewing = asyncio.ensure_future(
            self._threads.renew(
                partial(compaction.prepare, path=self._path), partial(compaction.swap, self._path)
            )
        )
        while not renewing.done():
            await asyncio.wait([renewing], timeout=_PROGRESS_EVERY_S)
            progress(1.0 if renewing.done() else compaction.share(self._path))
        await renewing
        log.info("store_compacted", took_ms=round((time.monotonic() - began) * 1000))

    async def snapshot(self, path: Path) -> None:
        """Write a consistent copy to *path*, which must not exist."""
        await self._threads.watch(partial(_snapshot, path=path), lambda _: None)

    async def _as_of(self, lag: Lag) -> int:
        return lag.as_of or await self.newest() or 0

    async def _build(self, plan: CellPlan, now: int) -> None:
        built = None
        began = time.monotonic()
        try:
            built = await self._threads.watch(
                partial(cell_builder.build, plan=plan, folder=self._scratch), lambda _: None
            )
            await self._threads.write(partial(self._builder.swap, built=built))
        finally:
            took_ms = round((time.monotonic() - began) * 1000)
            self._builder.finish(plan.site, now, took_ms)
            if built is not None:
                await asyncio.to_thread(built.discard)

    def _whole_days(self, site: str, before_ms: int) -> int:
        zone = self._timezones().get(site, "Etc/UTC")
        return localtime.day_start(zone, localtime.day_of(zone, before_ms))

    async def _erase(self, which: str, values: Mapping[str, object]) -> int:
        def step(connection: Connection) -> int:
            with self._altering():
                erased = row_erasure.erase(connection, which, values)
            self._builder.note(erased.earliest)
            return erased.rows

        return await self._threads.write(step)

    def _prepare(self, connection: Connection) -> None:
        compaction.tidy(self._path)
        self._scratch.mkdir(exist_ok=True)
        for left_over in self._scratch.iterdir():  # of a process that was killed
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        self._file = writing.RowFile(connection, self._scratch)

    def _write(self, batch: WriteBatch, connection: Connection) -> None:
        if self._file is None:
            raise StoreUnavailable("The store is not open.")
        # Erasures may be of sites that the batch has no rows of.
        sites = None if batch.erasures else {row.site for row in batch.rows}
        with self._altering(sites):
            self._builder.note(apply.write(connection, batch, self._file))

    def _absorb(self, prepared: Prepared, connection: Connection) -> None:
        with self._altering():
            self._builder.note(apply.absorb(connection, prepared))

    @contextmanager
    def _altering(self, sites: Collection[str] | None = None) -> Iterator[None]:
        """Invalidate cached answers about *sites* (None: about all) from before the block.

        For the writing thread, which ends what it has begun, whoever still waits for that. A
        change that failed may have been made nevertheless.
        """
        try:
            yield
        finally:
            if sites is None:
                self._remembered.all_changed()
            else:
                self._remembered.changed(sites)

    async def _with_rates(self, query: Query) -> Query:
        """Return *query* with the rates that its revenue needs, if there is a file of them."""
        wanted = query.currency or any(goal.currency for goal in query.goals)
        if self._rates is None or not wanted or REVENUE_METRICS.isdisjoint(query.metrics):
            return query
        rates = await asyncio.to_thread(self._rates)
        zone = query.period.timezone
        first, last = (
            localtime.day_of(zone, moment)
            for moment in (query.period.start, max(query.period.start, query.period.end - 1))
        )
        return structs.replace(query, rates=rates.between(first, last))

    def _answer(self, connection: Connection, query: Query) -> Result:
        result = self._remembered.answer(query)  # of somebody who was ahead
        if result is None:
            state = self._remembered.state()
            result = executor.answer(connection, query)
            self._remembered.keep(query, result, state)
        return result

    def _explored(self, connection: Connection, exploration: Exploration) -> ExplorationResult:
        result = self._remembered.answer(exploration)
        if result is None:
            state = self._remembered.state()
            result = explorations.answer(connection, exploration)
            self._remembered.keep(exploration, result, state)
        return result


def _snapshot(connection: Connection, path: Path) -> None:
    """Copy the state of one transaction of the database, while writing continues."""
    if path.exists():
        raise Conflict(f"{path} exists already; a snapshot overwrites nothing.")
    compaction.copy(connection, path)


_: type[SeriesStore] = DuckDBStore
_can: tuple[
    type[Absorbs],
    type[AnswersSql],
    type[Audits],
    type[Builds],
    type[Compacts],
    type[Erases],
    type[Exports],
    type[KeepsImports],
    type[Lookups],
    type[Overviews],
    type[Snapshots],
] = (DuckDBStore,) * 11
