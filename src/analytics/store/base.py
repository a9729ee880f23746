"""The interfaces of a store of rows: what every store must do, and what some can do besides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from analytics import time_span
from analytics.event import Erasure
from analytics.exploration import Exploration, ExplorationResult
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, WriteBatch
from analytics.pipeline.replay_figures import RebuiltFigure
from analytics.pipeline.visit import Visit
from analytics.query import Query, Recent, Result

__all__ = [
    "Absorbs",
    "Audits",
    "Builds",
    "Compacts",
    "DeadLetter",
    "Erases",
    "ErasesVisits",
    "ExportFormat",
    "Exports",
    "ImportAdded",
    "ImportedFile",
    "KeepsImports",
    "LedgerKey",
    "LedgerLine",
    "Lookups",
    "Overviews",
    "Prepared",
    "Progress",
    "Rebuilds",
    "RebuiltSite",
    "SeriesStore",
    "SiteImport",
    "Snapshots",
    "StoredDays",
    "WriteBatch",
]

Progress = Callable[[float], None]
"""Called on the event loop with the share of a long job that is done, from 0 to 1."""


class Prepared(NamedTuple):
    """A `WriteBatch` whose rows were prepared elsewhere, in a file."""

    rows: Path | None
    """A Parquet file with the columns of `Row`; None if there are no rows."""
    earliest: Mapping[str, int]
    """Maps a site to the earliest time (ms) whose figures the rows change."""
    ledger: Mapping[LedgerKey, LedgerLine]
    dead: Sequence[DeadLetter]
    partition: int
    next_offset: int
    erasures: Sequence[Erasure] = ()
    """The erasures to apply, to these rows too."""


class SeriesStore(AbstractAsyncContextManager["SeriesStore"], Protocol):
    """Stores rows and answers queries about them. Opening and closing is `async with`."""

    async def write(self, batch: WriteBatch) -> None:
        """Return when the rows, the ledger and the offset are durable, in one transaction."""

    async def offsets(self) -> Mapping[int, int]:
        """Return the next offset to read of each partition of the log."""

    async def query(self, query: Query) -> Result:
        """Answer *query* from every row written before the call.

        Raises `Malformed` for a combination that has no meaning, `StoreUnavailable` when the
        store cannot answer now, `QueryTooLong` when that takes longer than a question may.
        """

    async def explore(self, exploration: Exploration) -> ExplorationResult:
        """Answer *exploration* from every row written before the call; raises as `query` does."""

    async def ledger(
        self,
        site: str | None = None,
        *,
        span: tuple[int, int] = time_span.ALWAYS,
        most: int | None = None,
    ) -> Mapping[LedgerKey, LedgerLine]:
        """Return the ledger of one site, or of all, of the hours that begin within *span*.

        Raises `Malformed` where that is more than *most* lines, before they are read.
        """

    async def __aenter__(self) -> Self: ...


class Lookups(Protocol):
    """The lookups that the projector needs before it processes a batch."""

    async def seen(self, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
        """Return the (site, event_id)s of stored *candidates*, with a `ts` within a day."""

    async def visits(
        self, pairs: Collection[tuple[str, int]], *, touched_since: int = 0
    ) -> list[Visit]:
        """Return visits of these (site, visitor)s with a row received since then, in log order."""

    async def recent_visits(self, touched_since: int) -> list[Visit]:
        """Return every visit with a row received since then, in log order."""

    def recent_ids(self, received_since: int) -> AsyncGenerator[list[tuple[str, str]], None]:
        """Yield (site, event_id) of every row received since then, in chunks, in no order."""

    async def newest(self) -> int | None:
        """Return the latest `received_at` of the rows, or None without rows."""

    async def first_event(self, site: str) -> int | None:
        """Return the earliest `ts` of a site's rows, or None without rows."""


class Overviews(Protocol):
    """Answers queries about many sites at once, at the cost of one."""

    async def recent(self, sites: Collection[str], now: int) -> Mapping[str, Recent]:
        """Return the last 24 hours of each of *sites*; those without any event are left out."""

    async def current(self, now: int) -> Mapping[str, int]:
        """Return how many visitors each site has now; sites without any are left out."""

    async def unknown_sites(self, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the names that hits received since then gave as a site, and that were none.

        With how many hits there were, the *most* with most hits.
        """

    async def foreign_hosts(self, site: str, since: int, most: int) -> Sequence[tuple[str, int]]:
        """Return the hostnames that are not the site's, of hits left out since then for that.

        With how many hits there were, the *most* with most hits.
        """


class Builds(Protocol):
    """Builds cells in the background, which make answers faster but do not change them."""

    async def build_cells(self, now: int) -> int:
        """Bring cells up to the last whole day; return the number of sites that were built."""


class ExportFormat(StrEnum):
    """The format of an export."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Absorbs(Protocol):
    """Takes in batches that were processed elsewhere."""

    async def absorb(self, prepared: Prepared) -> None:
        """Return when the whole batch is durable, in one transaction."""


class Exports(Protocol):
    """Exports rows under the names of `Row` up to `bot`, pings and bots included."""

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
        """Write the rows with `ts` in [from_ms, to_ms) to *path*; return their number.

        With *visitor*, only theirs. Times are ISO 8601 in UTC with milliseconds. The file appears
        only when it is whole.
        """

    async def stored_days(self, site: str, timezone: str) -> StoredDays:
        """Return the days of *site* in *timezone* that have rows."""


class StoredDays(NamedTuple):
    """The days of a site that are here, in days since 1970 of its time zone."""

    first: int
    """The first day of which no row was evicted."""
    fingerprints: Mapping[int, str]
    """Of the rows of each day that has some: while it stays, they have stayed."""


class Erases(Protocol):
    """Deletes rows, and adds them to the ledger's `erased`, in one transaction.

    A store that others share orders it everywhere, and returns when it is done here. Raises
    `Unavailable` when that is not sure, and says what will become of it.
    """

    async def erase_visitor(self, site: str, visitor: int) -> int:
        """Delete every row of a visitor; return their number."""

    async def delete_site(self, site: str) -> int:
        """Delete every row of a site, but not its ledger; return their number."""

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Count the rows that erasing a visitor (None: the whole site) would delete."""

    async def retain(self, site: str, before_ms: int) -> int:
        """Delete the days (of the site) that ended by then; return the number of rows.

        A store that others share only orders it, and returns 0.
        From then on the site's figures begin with the day after them.
        """


class ErasesVisits(Protocol):
    """Deletes the visits that have a row which a query matches.

    The query's metrics mean nothing here. Raises `Misconfigured` where that cannot be.
    """

    async def count_visits(self, query: Query) -> tuple[int, int]:
        """Return the number of these visits, and of their rows."""

    async def erase_visits(self, query: Query) -> tuple[int, int]:
        """Delete every row of these visits; return the numbers of visits and rows."""


class RebuiltSite(NamedTuple):
    """What today's rules change, or have changed, in the rows of a site."""

    rows: int
    changed: int
    """The number of those rows that differ."""
    changes: Sequence[RebuiltFigure]


class Rebuilds(Protocol):
    """Decides stored rows again by today's rules. Raises `Misconfigured` where that cannot be."""

    async def rebuild(
        self,
        site: str,
        timezone: str,
        *,
        apply: bool,
        progress: Progress = lambda _: None,
    ) -> RebuiltSite:
        """Return what changes in *site*, and change it if *apply* says so.

        Interrupted, it has changed some visitors as a whole and others not at all.
        """


class Compacts(Protocol):
    """Removes the bytes of deleted rows from the files."""

    async def compaction_due(self) -> bool:
        """Return whether some file still holds the bytes of deleted rows."""

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Return when no file holds them. Raise `StoreUnavailable` without room for the copy."""


class Audits(Protocol):
    """Recounts the rows, to compare them with the ledger."""

    async def recount(self, site: str | None = None) -> Mapping[LedgerKey, int]:
        """Return the number of rows stored under each key of the ledger, counted from the rows.

        ledger.stored - ledger.erased = this, for every key.
        """


class Snapshots(Protocol):
    """Makes consistent copies while in use."""

    async def snapshot(self, path: Path) -> None:
        """Write a consistent copy to *path*, which must not exist; raises `Conflict` if so.

        It holds everything written before the call, and the offset that goes with it.
        """


class ImportedFile(NamedTuple):
    """An export of another product, read."""

    product: str
    name: str
    """The name of the file, for people."""
    sums: Path
    """A file with a `DailySum` in JSON on each line."""
    digest: str
    """Of all sums: equal exports have equal ones."""
    at: int
    """When it came (UTC ms)."""


class SiteImport(NamedTuple):
    """An import of a site. Days are those of its time zone, since 1970."""

    id: int
    product: str
    file: str
    imported_at: int
    first_day: int
    last_day: int
    rows: int
    visitors: int
    """The sum of each day's."""
    pageviews: int


class ImportAdded(NamedTuple):
    """What became of an export."""

    site_import: SiteImport | None
    """The new import or the equal one that was there; None if none of its days counts."""
    is_new: bool
    days_with_events: int = 0
    """Days of the export that do not count, as the site has events of its own from then on."""
    days_of_other_imports: int = 0
    """Days of the export that do not count, or not whole, as another import has them."""
    days_left_out_by_kind: Mapping[str, int] = {}
    """Those days by the kind of the sums that do not count."""


class KeepsImports(Protocol):
    """Keeps the daily sums of other products.

    Raises `Misconfigured`, saying what to do instead, where that cannot be.
    """

    async def add_import(self, site: str, timezone: str, added: ImportedFile) -> ImportAdded:
        """Add the sums in *added* that do not count already, all or none of them.

        Raise `Conflict` if the site has as many imports as it may.
        """

    async def imports(self, site: str) -> Sequence[SiteImport]:
        """Return the imports of *site* in the order in which they came."""

    async def remove_import(self, site: str, number: int) -> SiteImport:
        """Delete an import and all its sums; return what it was. Raise `NotFound`."""
