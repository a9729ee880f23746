"""Rebuilds the lost or outdated state of a partition from its chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from analytics.event import Erasure, Row
from analytics.job.partition.state_store import VISIT_KEEP_MS, PartitionState
from analytics.pipeline.erasure import merged
from analytics.pipeline.visit import visits_from_rows
from analytics.store.chunks import arrow, chunk, chunk_erasure, codec
from analytics.store.chunks.base import ChunkReader
from analytics.store.chunks.chunk import ErasedIds
from analytics.units import DAY_MS

log = structlog.get_logger()

_AT_ONCE: Final = 32
_WINDOW_MS: Final = VISIT_KEEP_MS + DAY_MS
"""Rows older than this belong to visits that have ended for good."""


def rebuild(state: PartitionState, partition: int, shared: ChunkReader) -> int:
    """Fill *state*, empty or outdated, from the chunks of *partition*; return the rows it read.

    Processing resumes behind the last chunk with no gap before it. Returns 0 and changes nothing
    if the chunks reach no further than *state* does. Raises `StoreUnavailable`.
    """
    rows: list[Row] = []
    erased_ids: list[ErasedIds] = []
    orders: list[Erasure] = []
    ids: list[str] = []
    newest = 0
    at: int | None = None
    while chunks := chunk.chain(shared.following(partition, at or 0, _AT_ONCE), at):
        for each in chunks:
            ids.append(each.chunk_id)
            content = codec.read(each.chunk_id, each.payload)
            rows += arrow.to_rows(content.table)
            erased_ids += content.gone
            orders += [order.erasure for order in content.orders]
        at = chunks[-1].last_offset + 1
        newest = max([newest, *(row.received_at for row in rows)])
        rows = [row for row in rows if row.received_at >= newest - _WINDOW_MS]
    if at is None or at <= (state.next_offset or 0):
        return 0
    rows.sort(key=lambda row: row.log_offset)
    with state.transaction():
        state.drop(ids)  # an outdated outbox may hold versions from before a rewrite
        for day, events in sorted(_ids(rows, erased_ids, newest).items()):
            state.remember_ids(events, day * DAY_MS)
        for erasure in merged(orders):
            state.erasures.note(erasure)  # it may not have been applied to every chunk yet
            state.end_visits(erasure)  # an outdated copy still has them
        state.remember_visits(visits_from_rows(_left(rows, state.erasures.all())), newest)
        state.advance(at)
    log.info("memory_rebuilt", partition=partition, rows=len(rows), next_offset=at)
    return len(rows)


def _ids(
    rows: Sequence[Row], erased_ids: Sequence[ErasedIds], newest: int
) -> Mapping[int, Sequence[tuple[str, str]]]:
    """Map each UTC day (from 1970) to the (site, event_id)s received on it, erased or not."""
    days: dict[int, list[tuple[str, str]]] = {}
    for row in rows:
        days.setdefault(row.received_at // DAY_MS, []).append((row.site, row.event_id))
    for each in erased_ids:
        if each.day * DAY_MS >= newest - _WINDOW_MS:
            ids = days.setdefault(each.day, [])
            ids += [(each.site, each.ids[at : at + 16].hex()) for at in range(0, len(each.ids), 16)]
    return days


def _left(rows: Sequence[Row], orders: Sequence[Erasure]) -> list[Row]:
    """Return the *rows* that no erasure matches; only these may open or extend a visit."""
    if not orders:
        return list(rows)
    concerned = chunk_erasure.concerns(arrow.to_table(rows), orders).to_pylist()
    return [row for row, erased in zip(rows, concerned, strict=True) if not erased]
