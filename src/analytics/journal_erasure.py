"""Erases rows in the embedded mode: a request in the journal, then new files without them.

The request makes an erasure survive a crash at any moment, as in a cluster. The projector obeys it
where it lies in the log: it deletes what came before, and forgets the visits that end.
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
        """Delete every row of a visitor, and return their number."""
        return await self._order(site, visitor)

    async def delete_site(self, site: str) -> int:
        """Delete every row of a site, and return their number. The ledger stays."""
        return await self._order(site, None)

    async def count_visits(self, query: Query) -> tuple[int, int]:
        """Return the number of visits with a row that *query* matches, and that of their rows."""
        rows, visits = await self._store.count_visits(query)
        return len(visits), rows

    async def erase_visits(self, query: Query) -> tuple[int, int]:
        """Delete every row of these visits, and return the numbers of visits and rows.

        No request is needed: one transaction finds and deletes them, and open visits are read from
        the rows at a start.
        """

        async def erase() -> tuple[int, int]:
            async with self._projector.paused():
                rows, visits = await self._store.erase_visits(query)
                self._projector.drop_visits(query.site, visits)
            return len(visits), rows

        return await asyncio.shield(erase())

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """Return the number of rows that erasing a visitor (None: the whole site) would delete."""
        return await self._store.count_rows(site, visitor)

    async def retain(self, site: str, before_ms: int) -> int:
        """Delete the days of the site that ended by *before_ms*, and return the number of rows."""
        return await self._store.retain(site, before_ms)

    async def compaction_due(self) -> bool:
        """Whether the journal or the database still holds the bytes of deleted rows."""
        return await self._store.compaction_due()

    async def compact(self, progress: Progress = lambda _: None) -> None:
        """Rewrite both without them: first the journal, whose records the database has.

        Raise `Unavailable` without room; then it stays due, and the journal releases again.
        """
        async with self._compacting:
            if not await self.compaction_due():
                return
            await self._journal.seal()
            await self._projector.settle()
            async with self._projector.paused():  # an audit reads the journal under the same pause
                await self._journal.release(Position(PARTITION, self._projector.next_offset))
            await self._store.compact(progress)

    async def _order(self, site: str, visitor: int | None) -> int:
        """Append the request; return, once it is obeyed, the number of rows it covered."""
        concerned = await self._store.matching(site, visitor)
        # A clock that was set back must not save rows that lie before the request.
        until = max(self._clock(), concerned.newest or 0)
        order = Erasure(site=site, until=until, visitor=visitor, shard=PARTITION)
        (place,) = await self._journal.append([order])
        await self._projector.reached(place.offset + 1)
        return concerned.rows


_: tuple[type[Erases], type[ErasesVisits], type[Compacts]] = (JournalErasure,) * 3
