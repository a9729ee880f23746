"""The way of a chunk from the outbox into Ignite, and out of the outbox when Cassandra has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from analytics.job.partition.state_store import PartitionState, SentChunk
from analytics.store.chunks.base import ChunkStore, PersistentChunks

log = structlog.get_logger()

_AT_ONCE: Final = 64
_SENT_AT_ONCE: Final = 16
"""Meanwhile the memory is locked."""
_SETTLES_MS: Final = 3_000
"""How long Ignite has to write a chunk behind, before anybody asks for it."""
_LOST_MS: Final = 30_000
"""How long after it was sent a chunk that Cassandra lacks may have to be sent again."""


def send(memory: PartitionState, shared: ChunkStore, now: int) -> int:
    """Send what was not sent, in order; how many chunks. Raises `StoreUnavailable`.

    Several may do so at once. Nobody rewrites a chunk meanwhile: come late, it would take the
    place of the rewritten one wherever that is on disk only, and bring erased rows back.
    """
    sent = 0
    while True:
        with memory.transaction():
            chunks = memory.unsent(_SENT_AT_ONCE)
            if not chunks:
                return sent
            shared.add(chunks)
            memory.sent(chunks, now)
        sent += len(chunks)


def replace(memory: PartitionState, shared: ChunkStore, now: int) -> int:
    """Send what was rewritten, over what is there; for one thread of all the job.

    Raises `StoreUnavailable`.
    """
    sent = 0
    while chunks := memory.unsent(_AT_ONCE, rewritten=True):
        shared.put(chunks)
        memory.sent(chunks, now)
        sent += len(chunks)
    return sent


def confirm(memory: PartitionState, shared: ChunkStore, kept: PersistentChunks, now: int) -> int:
    """Let go what is kept, and see to what is not after a while; how many chunks are kept now.

    What is nowhere is to be sent again. What is shared and not kept is written once more: after
    too many writes in vain, Ignite gives up the oldest. Raises `StoreUnavailable`.
    """
    waiting = memory.waiting(now - _SETTLES_MS, 1000)
    if not waiting:
        return 0
    lasting = kept.rows([each.chunk_id for each in waiting])
    there = shared.rows([each.chunk_id for each in waiting if each.rewritten])
    safe = [each for each in waiting if _safe(each, lasting, there)]
    memory.confirmed(safe)
    late = [each for each in waiting if each.sent_at < now - _LOST_MS and each not in safe]
    if late:
        _write_again(memory, shared, late, now)
    return len(safe)


def _write_again(
    memory: PartitionState, shared: ChunkStore, late: Sequence[SentChunk], now: int
) -> None:
    there = shared.rows([each.chunk_id for each in late])
    # A rewritten one is there as it was, if it is there: it must be put again.
    gone = [each.chunk_id for each in late if each.rewritten or each.chunk_id not in there]
    memory.send_again(gone)
    held = [each.chunk_id for each in late if each.chunk_id not in gone]
    for start in range(0, len(held), _AT_ONCE):
        chunks = shared.read(held[start : start + _AT_ONCE])
        shared.put(chunks)
        memory.sent(chunks, now)
    log.warning("chunks_written_again", lost=len(gone), held=len(held), first=late[0].chunk_id)


def _safe(waiting: SentChunk, lasting: Mapping[str, int], there: Mapping[str, int]) -> bool:
    if not waiting.rewritten:
        return waiting.chunk_id in lasting
    # Nothing of what it was before may be left; a rewritten chunk has fewer rows.
    return (
        lasting.get(waiting.chunk_id) == waiting.rows
        and there.get(waiting.chunk_id, waiting.rows) == waiting.rows
    )
