"""A memory that was lost, made again from the chunks that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from analytics.event import Row
from analytics.job.memory import VISIT_KEEP_MS, PartitionMemory
from analytics.pipeline.dedupe import DAY_MS
from analytics.pipeline.visit import visits_from_rows
from analytics.store import chunk
from analytics.store.chunk import Chunk

log = structlog.get_logger()

_AT_ONCE: Final = 32
_WINDOW_MS: Final = VISIT_KEEP_MS + DAY_MS
"""Rows older than that belong to no visit that can still be joined."""


class Shared(Protocol):
    """Where the chunks are shared."""

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        """The next chunks of *partition* from *offset* on, in order."""


def rebuild(memory: PartitionMemory, partition: int, shared: Shared) -> int:
    """Fill an empty *memory* from what is shared of *partition*; how many rows it has read.

    It goes on behind the last chunk that has no gap before it. Raises `StoreUnavailable`.
    """
    rows: list[Row] = []
    newest = 0
    at: int | None = None
    while chunks := chunk.chain(shared.following(partition, at or 0, _AT_ONCE), at):
        for each in chunks:
            rows += chunk.to_rows(chunk.read(each.chunk_id, each.payload).table)
        at = chunks[-1].last_offset + 1
        newest = max([newest, *(row.received_at for row in rows)])
        rows = [row for row in rows if row.received_at >= newest - _WINDOW_MS]
    if at is None:
        return 0
    rows.sort(key=lambda row: row.log_offset)
    with memory.transaction():
        days: dict[int, list[Row]] = {}
        for row in rows:
            days.setdefault(row.received_at // DAY_MS, []).append(row)
        for _, theirs in sorted(days.items()):
            latest = max(row.received_at for row in theirs)
            memory.remember_ids(((row.site, row.event_id) for row in theirs), latest)
        memory.remember_visits(visits_from_rows(rows), newest)
        memory.advance(at)
    log.info("memory_rebuilt", partition=partition, rows=len(rows), next_offset=at)
    return len(rows)
