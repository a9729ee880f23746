"""What a store of rows must do, and what it may be able to do besides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from analytics.event import Erasure
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, WriteBatch
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
    "LedgerKey",
    "LedgerLine",
    "Lookups",
    "Overviews",
    "Prepared",
    "Progress",
    "SeriesStore",
    "Snapshots",
    "WriteBatch",
]

Progress = Callable[[float], None]
"""Told now and then how much of a long work is done, from 0 to 1; called on the event loop."""


class Prepared(NamedTuple):
    """A `WriteBatch` whose rows were prepared elsewhere, in a file."""

    rows: Path | None
    """A Parquet file with the columns of `Row`; None when there are no rows."""
    earliest: Mapping[str, int]
    """For each site, the earliest moment whose figures the rows change."""
    ledger: Mapping[LedgerKey, LedgerLine]
    dead: Sequence[DeadLetter]
    partition: int
    next_offset: int
    erasures: Sequence[Erasure] = ()
    """What is to be erased, of these rows too."""


class SeriesStore(AbstractAsyncContextManager["SeriesStore"], Protocol):
    """Rows, kept and counted. Opening and closing is `async with`."""

    async def write(self, batch: WriteBatch) -> None:
        """Return when the rows, the ledger and the offset are durable, in one transaction."""

    async def offsets(self) -> Mapping[int, int]:
        """For each partition of the log, the next offset to read."""

    async def query(self, query: Query) -> Result:
        """Answer *query* from every row written before the call.

        Raises `Malformed` for a combination that has no meaning, `StoreUnavailable` when the
        store cannot answer now, `QueryTooLong` when that takes longer than a question may.
        """

    async def ledger(self, site: str | None = None) -> Mapping[LedgerKey, LedgerLine]:
        """The ledger of one site, or of all."""

    async def __aenter__(self) -> Self: ...


class Lookups(Protocol):
    """What the projector asks of the rows before it folds a batch."""

    async def seen(self, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
        """Which (site, event_id)s of *candidates* are stored, with a `ts` within a day."""

    async def visits(
        self, pairs: Collection[tuple[str, int]], *, touched_since: int = 0
    ) -> list[Visit]:
        """The visits of these (site, visitor)s with a row received since then, in log order."""

    async def recent_visits(self, touched_since: int) -> list[Visit]:
        """Every visit with a row received since then, in log order."""

    def recent_ids(self, received_since: int) -> AsyncGenerator[list[tuple[str, str]], None]:
        """(site, event_id) of every row received since then, in chunks, in no order."""

    async def newest(self) -> int | None:
        """The latest `received_at` of the rows; None when there are none."""

    async def first_event(self, site: str) -> int | None:
        """The earliest `ts` of a site's rows; None when it has none."""


class Overviews(Protocol):
    """Answers about many sites at once, at the price of one."""

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
    """Prepares in the background what makes answers fast; answers are the same without."""

    async def build_cells(self, now: int) -> int:
        """Bring cells up to the last whole day, site by site; how many sites had work."""


class ExportFormat(StrEnum):
    """What an export is written as."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Absorbs(Protocol):
    """Takes in what was folded elsewhere."""

    async def absorb(self, prepared: Prepared) -> None:
        """Return when all of it is durable, in one transaction."""


class Exports(Protocol):
    """Hands rows out, under the names of `Row` up to `bot`; pings and machines included."""

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
        """Write the rows with `ts` in [from_ms, to_ms) to *path*; how many there are.

        With *visitor*, only theirs. Times are ISO 8601 in UTC with milliseconds. The file appears
        only when it is whole.
        """


class Erases(Protocol):
    """Deletes rows, and adds them to the ledger's `erased`, in one transaction.

    A store that others share orders it everywhere, and returns when it is done here. Raises
    `Unavailable` when that is not sure, and says what will become of it.
    """

    async def erase_visitor(self, site: str, visitor: int) -> int:
        """Delete every row of a visitor; how many there were."""

    async def delete_site(self, site: str) -> int:
        """Delete every row of a site; how many there were. Its ledger stays."""

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Count the rows that erasing a visitor (None: the whole site) would delete."""

    async def retain(self, site: str, before_ms: int) -> int:
        """Delete the days (of the site) that ended by then; how many rows there were.

        A store that others share only orders it, and returns 0.
        From then on the site's figures begin with the day after them.
        """


class ErasesVisits(Protocol):
    """Deletes visits by what they did: those that have a row for which a query asks.

    The query's metrics mean nothing here. Raises `Misconfigured` where that cannot be.
    """

    async def count_visits(self, query: Query) -> tuple[int, int]:
        """Count them, and the rows that they have."""

    async def erase_visits(self, query: Query) -> tuple[int, int]:
        """Delete every row of them; how many visits and rows there were."""


class Compacts(Protocol):
    """Gets rid of the bytes of what was deleted."""

    async def compaction_due(self) -> bool:
        """Whether some file still holds the bytes of rows that were deleted."""

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Return when none does. Raises `StoreUnavailable` when there is no room to see to it."""


class Audits(Protocol):
    """Counts again."""

    async def recount(self, site: str | None = None) -> Mapping[LedgerKey, int]:
        """The rows stored under each key of the ledger, counted from the rows themselves.

        ledger.stored - ledger.erased = this, for every key.
        """


class Snapshots(Protocol):
    """Copies itself while in use."""

    async def snapshot(self, path: Path) -> None:
        """Write a consistent copy to *path*, which must not exist; raises `Conflict` if so.

        It holds everything written before the call, and the offset that goes with it.
        """
