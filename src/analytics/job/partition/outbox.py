"""Sends chunks from a partition's outbox to Ignite, and removes them once Cassandra has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from analytics.job.partition.state_store import PartitionState, SentChunk
from analytics.store.chunks.base import ChunkStore, PersistentChunks

log = structlog.get_logger()

_AT_ONCE: Final = 64
_SENT_AT_ONCE: Final = 16
"""The state file is locked while these are sent."""
_SETTLES_MS: Final = 3_000
"""How long Ignite has to write a chunk behind before Cassandra is queried for it."""
_LOST_MS: Final = 30_000
"""How long after it was sent a chunk that Cassandra lacks counts as lost."""


def send(state: PartitionState, shared: ChunkStore, now: int) -> int:
    """Send all new chunks to Ignite, in offset order, and return how many were sent.

    Several threads and processes may call this at once. The state file stays locked during each
    send, so that an erasure cannot rewrite a chunk that is being sent: the old version, arriving
    late, would replace a rewritten one that is on disk only, and bring erased rows back.
    Raises `StoreUnavailable`.
    """
    sent = 0
    while True:
        with state.transaction():
            chunks = state.unsent(_SENT_AT_ONCE)
            if not chunks:
                return sent
            shared.add(chunks)
            state.sent(chunks, now)
        sent += len(chunks)


def replace(state: PartitionState, shared: ChunkStore, now: int) -> int:
    """Replace chunks in Ignite by their rewritten versions; return how many were sent.

    Only one thread of the whole job may call this. Raises `StoreUnavailable`.
    """
    sent = 0
    while chunks := state.unsent(_AT_ONCE, rewritten=True):
        shared.put(chunks)
        state.sent(chunks, now)
        sent += len(chunks)
    return sent


def confirm(
    state: PartitionState, shared: ChunkStore, persistent: PersistentChunks, now: int
) -> int:
    """Remove sent chunks that Cassandra has from the outbox; return how many were removed.

    A chunk that Cassandra still lacks after 30 s is marked to be sent again if Ignite has lost it,
    and written to Ignite once more if not: after too many failed writes to Cassandra, Ignite gives
    up the oldest. Raises `StoreUnavailable`.
    """
    waiting = state.waiting(now - _SETTLES_MS, 1000)
    if not waiting:
        return 0
    in_cassandra = persistent.rows([each.chunk_id for each in waiting])
    in_ignite = shared.rows([each.chunk_id for each in waiting if each.rewritten])
    safe = [each for each in waiting if _safe(each, in_cassandra, in_ignite)]
    state.confirmed(safe)
    late = [each for each in waiting if each.sent_at < now - _LOST_MS and each not in safe]
    if late:
        _write_again(state, shared, late, now)
    return len(safe)


def _write_again(
    state: PartitionState, shared: ChunkStore, late: Sequence[SentChunk], now: int
) -> None:
    in_ignite = shared.rows([each.chunk_id for each in late])
    # Ignite may still hold the old version of a rewritten chunk, so that one is always sent again.
    lost = [each.chunk_id for each in late if each.rewritten or each.chunk_id not in in_ignite]
    state.send_again(lost)
    present = [each.chunk_id for each in late if each.chunk_id not in lost]
    for start in range(0, len(present), _AT_ONCE):
        chunks = shared.read(present[start : start + _AT_ONCE])
        shared.put(chunks)
        state.sent(chunks, now)
    log.warning("chunks_written_again", lost=len(lost), held=len(present), first=late[0].chunk_id)


def _safe(
    waiting: SentChunk, in_cassandra: Mapping[str, int], in_ignite: Mapping[str, int]
) -> bool:
    if not waiting.rewritten:
        return waiting.chunk_id in in_cassandra
    # Neither tier may still have the old version; a rewritten chunk has fewer rows.
    return (
        in_cassandra.get(waiting.chunk_id) == waiting.rows
        and in_ignite.get(waiting.chunk_id, waiting.rows) == waiting.rows
    )
