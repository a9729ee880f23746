"""A memory that was lost, made again from the chunks that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from analytics.event import Erasure, Row
from analytics.job.partition.state_store import VISIT_KEEP_MS, PartitionState
from analytics.pipeline.dedupe import DAY_MS
from analytics.pipeline.erasure import merged
from analytics.pipeline.visit import visits_from_rows
from analytics.store.chunks import arrow, chunk, chunk_erasure, codec
from analytics.store.chunks.base import ChunkReader
from analytics.store.chunks.chunk import ErasedIds

log = structlog.get_logger()

_AT_ONCE: Final = 32
_WINDOW_MS: Final = VISIT_KEEP_MS + DAY_MS
"""Rows older than that belong to no visit that can still be joined."""


def rebuild(memory: PartitionState, partition: int, shared: ChunkReader) -> int:
    """Fill *memory*, empty or old, from what is shared of *partition*; how many rows it has read.

    It goes on behind the last chunk that has no gap before it. Raises `StoreUnavailable`.
    """
    rows: list[Row] = []
    gone: list[ErasedIds] = []
    orders: list[Erasure] = []
    ids: list[str] = []
    newest = 0
    at: int | None = None
    while chunks := chunk.chain(shared.following(partition, at or 0, _AT_ONCE), at):
        for each in chunks:
            ids.append(each.chunk_id)
            content = codec.read(each.chunk_id, each.payload)
            rows += arrow.to_rows(content.table)
            gone += content.gone
            orders += [order.erasure for order in content.orders]
        at = chunks[-1].last_offset + 1
        newest = max([newest, *(row.received_at for row in rows)])
        rows = [row for row in rows if row.received_at >= newest - _WINDOW_MS]
    if at is None or at <= (memory.next_offset or 0):
        return 0
    rows.sort(key=lambda row: row.log_offset)
    with memory.transaction():
        memory.drop(ids)  # an old copy has them as they were before they were rewritten
        for day, events in sorted(_ids(rows, gone, newest).items()):
            memory.remember_ids(events, day * DAY_MS)
        for erasure in merged(orders):
            memory.orders.note(erasure)  # it may not have reached every chunk yet
            memory.end_visits(erasure)  # an old copy has them
        memory.remember_visits(visits_from_rows(_left(rows, memory.orders.all())), newest)
        memory.advance(at)
    log.info("memory_rebuilt", partition=partition, rows=len(rows), next_offset=at)
    return len(rows)


def _ids(
    rows: Sequence[Row], gone: Sequence[ErasedIds], newest: int
) -> Mapping[int, Sequence[tuple[str, str]]]:
    """For each day, the (site, event_id)s of what was received then, erased or not."""
    days: dict[int, list[tuple[str, str]]] = {}
    for row in rows:
        days.setdefault(row.received_at // DAY_MS, []).append((row.site, row.event_id))
    for each in gone:
        if each.day * DAY_MS >= newest - _WINDOW_MS:
            ids = days.setdefault(each.day, [])
            ids += [(each.site, each.ids[at : at + 16].hex()) for at in range(0, len(each.ids), 16)]
    return days


def _left(rows: Sequence[Row], orders: Sequence[Erasure]) -> list[Row]:
    """Those of *rows* that no order concerns: no visit comes of the others."""
    if not orders:
        return list(rows)
    concerned = chunk_erasure.concerns(arrow.to_table(rows), orders).to_pylist()
    return [row for row, erased in zip(rows, concerned, strict=True) if not erased]
