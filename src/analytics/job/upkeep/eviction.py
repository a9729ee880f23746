"""Evicts the oldest chunks from Ignite's memory before it is full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import structlog

from analytics.job.upkeep import compaction
from analytics.store.chunks.base import ChunkStore, PersistentChunks
from analytics.store.chunks.chunk import ChunkHead, ChunkKind
from analytics.store.ignite.memory import CROWDED_AT, ROOMY_BELOW, WAY_OUT, MemoryGauge, MemoryUse

log = structlog.get_logger()

_AT_ONCE: Final = 32
_REMEMBERED_S: Final = 3600.0
"""How long an early eviction is shown in the job's health."""


class MemoryEviction:
    """Keeps part of Ignite's memory free; only one thread of the whole job may use it."""

    def __init__(
        self,
        memory: MemoryGauge,
        shared: ChunkStore,
        persistent: PersistentChunks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._persistent = persistent
        self._clock = clock
        self._evicted_at: float | None = None
        self.use = MemoryUse(0, 0)
        """The use of memory at the last measurement."""

    @property
    def fault(self) -> str | None:
        """What the operator must act on, or None."""
        if self.use.share >= CROWDED_AT:
            return f"Ignite's memory is {self.use}: {WAY_OUT}"
        if self._evicted_at is not None and self._clock() < self._evicted_at + _REMEMBERED_S:
            return (
                f"Ignite's memory is {self.use}, because chunks had to leave it early; they are"
                f" read from Cassandra, which takes longer: {WAY_OUT}"
            )
        return None

    def keep(self, needed: Callable[[], set[str]]) -> int:
        """Evict the oldest chunks while memory is crowded; return how many were evicted.

        Chunks whose ids *needed* returns stay, chunks that Cassandra lacks stay, and so does the
        newest of each partition, by which readers see how far it reaches. Raises
        `StoreUnavailable`.
        """
        self.use = self._memory.use()
        if self.use.share < CROWDED_AT:
            return 0
        needed_ids = needed()
        candidates = iter([each for each in self._oldest_first() if each not in needed_ids])
        evicted = 0
        while self.use.share >= ROOMY_BELOW and (ids := list(islice(candidates, _AT_ONCE))):
            safe = self._persistent.rows(ids)
            self._shared.evict(sorted(safe))
            evicted += len(safe)
            self.use = self._memory.use()
        if evicted:
            self._evicted_at = self._clock()
            log.warning("chunks_cooled_early", chunks=evicted, memory=str(self.use))
        return evicted

    def _oldest_first(self) -> Iterable[str]:
        """Return the ids of the chunks that may be evicted; those still to be merged come last."""
        heads: list[ChunkHead] = []
        for partition in self._shared.partitions():
            in_memory = self._shared.heads(partition)
            parts = compaction.obsolete(in_memory)
            heads += [each for each in in_memory if each.chunk_id not in parts][:-1]
        heads.sort(key=lambda each: (_to_be_merged(each), each.hour, each.first_offset))
        return [each.chunk_id for each in heads]


def _to_be_merged(head: ChunkHead) -> bool:
    return head.kind is ChunkKind.FRESH and head.rows < compaction.ENOUGH_ROWS
