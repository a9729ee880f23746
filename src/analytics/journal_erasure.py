"""How rows are erased in one process: an order in the journal, and then no file that holds them.

The order makes an erasure survive the end of the process at any moment, as in a cluster. The
projector obeys it where it lies: it deletes what came before, and forgets the visits that end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from analytics.event import Erasure
from analytics.projector import Projector
from analytics.query import Query
from analytics.store.base import Compacts, Erases, ErasesVisits, Progress
from analytics.store.duckdb import DuckDBStore
from analytics.stream.base import Position
from analytics.stream.journal import PARTITION, Journal


class JournalErasure:
    """`Erases` and `Compacts` for a journal, its projector and their store."""

    def __init__(
        self,
        journal: Journal,
        projector: Projector,
        store: DuckDBStore,
        clock: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._projector = projector
        self._store = store
        self._clock = clock
        self._compacting: Final = asyncio.Lock()

    async def erase_visitor(self, site: str, visitor: int) -> int:
        """Delete every row of a visitor; how many there were."""
        return await self._order(site, visitor)

    async def delete_site(self, site: str) -> int:
        """Delete every row of a site; how many there were. Its ledger stays."""
        return await self._order(site, None)

    async def count_visits(self, query: Query) -> tuple[int, int]:
        """Count the visits that have a row for which *query* asks, and their rows."""
        rows, visits = await self._store.count_visits(query)
        return len(visits), rows

    async def erase_visits(self, query: Query) -> tuple[int, int]:
        """Delete every row of these visits; how many visits and rows there were.

        It needs no order: one transaction finds and deletes them, and what is open is read from the
        rows at a start.
        """

        async def erase() -> tuple[int, int]:
            async with self._projector.paused():
                rows, visits = await self._store.erase_visits(query)
                self._projector.drop_visits(query.site, visits)
            return len(visits), rows

        return await asyncio.shield(erase())

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Count the rows that erasing a visitor (None: the whole site) would delete."""
        return await self._store.count_rows(site, visitor)

    async def retain(self, site: str, before_ms: int) -> int:
        """Delete the days (of the site) that ended by then; how many rows there were."""
        return await self._store.retain(site, before_ms)

    async def compaction_due(self) -> bool:
        """Whether the journal or the database still holds the bytes of deleted rows."""
        return await self._store.compaction_due()

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Return when neither holds them: first the journal, whose records the database has.

        Raises `Unavailable` without room; then it is still due, and the journal lets go again.
        """
        async with self._compacting:
            if not await self.compaction_due():
                return
            await self._journal.seal()
            await self._projector.settle()
            async with self._projector.paused():  # whoever reads the journal pauses it, too
                await self._journal.release(Position(PARTITION, self._projector.next_offset))
            await self._store.compact(progress)

    async def _order(self, site: str, visitor: int | None) -> int:
        """Return when the order is obeyed; how many rows it concerned."""
        concerned = await self._store.matching(site, visitor)
        # A clock that was set back must not save what lies before the order.
        until = max(self._clock(), concerned.newest or 0)
        order = Erasure(site=site, until=until, visitor=visitor, shard=PARTITION)
        (place,) = await self._journal.append([order])
        await self._projector.reached(place.offset + 1)
        return concerned.rows


_: tuple[type[Erases], type[ErasesVisits], type[Compacts]] = (JournalErasure,) * 3
