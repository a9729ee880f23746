"""Decides the stored events of one process again, beside the projector that adds to them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from analytics.pipeline import replay
from analytics.pipeline.replay import ReplayedRow
from analytics.pipeline.replay_figures import DayFigures
from analytics.pipeline.source import Sources
from analytics.projector import Projector
from analytics.store.base import Progress, Rebuilds, RebuiltSite
from analytics.store.duckdb import DuckDBStore

_ROWS_AT_ONCE: Final = 50_000
"""The number of rows in memory: roughly, as all of a visitor are there together."""


class JournalRebuild:
    """`Rebuilds` for a projector and its store.

    Rows are read and decided beside the projector. It is paused only while those of visitors who
    change are decided once more and stored, so that what came in between is among them.
    """

    def __init__(
        self, projector: Projector, store: DuckDBStore, *, rows_at_once: int = _ROWS_AT_ONCE
    ) -> None:
        self._projector = projector
        self._store = store
        self._rows_at_once = rows_at_once

    async def rebuild(
        self, site: str, timezone: str, *, apply: bool, progress: Progress = lambda _: None
    ) -> RebuiltSite:
        """Return what changes in *site*, and change it if *apply* says so."""
        sources = await asyncio.to_thread(Sources)
        figures = DayFigures(timezone)
        parts = -(-await self._store.count_rows(site) // self._rows_at_once)
        rows = changed = 0
        for number in range(parts):
            done = await self._store.replay(site, number, parts=parts, sources=sources)
            visitors = replay.changed_visitors(done)
            if apply and visitors:
                others = [each for each in done if each.stored.visitor not in visitors]
                done = [*others, *await self._apply(site, visitors, sources)]
            await asyncio.to_thread(figures.add, done)
            rows += len(done)
            changed += sum(each.is_changed for each in done)
            progress((number + 1) / parts)
        return RebuiltSite(rows, changed, await asyncio.to_thread(figures.changes))

    async def _apply(
        self, site: str, visitors: Collection[int], sources: Sources
    ) -> Sequence[ReplayedRow]:
        async def apply() -> Sequence[ReplayedRow]:
            async with self._projector.paused():
                done = await self._store.apply_replay(site, visitors, sources)
                await self._projector.recall_visits(site, replay.changed_visitors(done))
            return done

        # Who stops waiting must not part the rows from what is remembered of them.
        return await asyncio.shield(apply())


_: type[Rebuilds] = JournalRebuild
