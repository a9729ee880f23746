"""The way of a chunk from the outbox into Ignite, and out of the outbox when Cassandra has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from analytics.job.memory import PartitionMemory
from analytics.store.chunk import Chunk

log = structlog.get_logger()

_AT_ONCE: Final = 64
_SETTLES_MS: Final = 3_000
"""How long Ignite has to write a chunk behind, before anybody asks for it."""
_LOST_MS: Final = 30_000
"""How long after it was sent a chunk that Cassandra lacks may have to be sent again."""


class Shared(Protocol):
    """Where chunks are shared, in memory."""

    def put(self, chunks: Sequence[Chunk]) -> None:
        """Take them, each under its id."""

    def present(self, ids: Sequence[str]) -> set[str]:
        """Which of them are there."""


class Kept(Protocol):
    """Where chunks are kept, on disk."""

    def present(self, ids: Sequence[str]) -> set[str]:
        """Which of them are there."""


def send(memory: PartitionMemory, shared: Shared, now: int) -> int:
    """Send what was not sent, in order; how many chunks. Raises `StoreUnavailable`."""
    sent = 0
    while chunks := memory.unsent(_AT_ONCE):
        shared.put(chunks)
        memory.sent([each.chunk_id for each in chunks], now)
        sent += len(chunks)
    return sent


def confirm(memory: PartitionMemory, shared: Shared, kept: Kept, now: int) -> int:
    """Let go what is kept, and send again what is nowhere; how many chunks are kept now."""
    waiting = memory.waiting(now - _SETTLES_MS, 1000)
    if not waiting:
        return 0
    ids = [each.chunk_id for each in waiting]
    safe = kept.present(ids)
    memory.confirmed(sorted(safe))
    late = [each.chunk_id for each in waiting if each.sent_at < now - _LOST_MS]
    missing = [each for each in late if each not in safe]
    if missing:
        there = shared.present(missing)
        gone = [each for each in missing if each not in there]
        if gone:
            log.warning("chunks_sent_again", chunks=len(gone), first=gone[0])
            memory.send_again(gone)
    return len(safe)
