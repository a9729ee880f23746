"""Sends finished chunks from each partition's outbox to Ignite until Cassandra has persisted them.

The same thread does the other work on chunks: it compacts, erases, evicts, and recalls.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from analytics.background import BackgroundThread, attempt_each
from analytics.job.partition import outbox
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep import cold_chunks, compaction
from analytics.job.upkeep.eraser import Eraser
from analytics.job.upkeep.eviction import MemoryEviction
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store import guards
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import ChunkHead
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.ignite.memory import NodeMemory

log = structlog.get_logger()

_EVERY_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 10.0
_SEAL_EVERY_S: Final = 20.0
_GROUPS_AT_ONCE: Final = 8
_RECALL_EVERY_S: Final = 600.0
"""Finding what Ignite has lost takes a scan of Cassandra's table."""
_RECALL_AGAIN_S: Final = 10.0
"""While something is missing: chunks fetched while a node joins may get lost."""


class OutboxRelay(BackgroundThread):
    """A background thread that tends all outboxes and chunks while the `with` block runs."""

    def __init__(
        self, states: StateDirectory, ignite: IgniteSettings, cassandra: CassandraSettings
    ) -> None:
        super().__init__(
            "outbox-relay",
            self.step,
            every_s=_EVERY_S,
            meanwhile="Finished chunks and erasures may wait in the outbox.",
            first_after_s=_EVERY_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._states = states
        server_guards = guards.ignite(ignite), guards.cassandra(cassandra)
        self._shared = IgniteChunks(ignite, server_guards[0])
        self._persistent = CassandraChunks(cassandra, server_guards[1])
        self.breakers = [guard.breaker for guard in server_guards]
        self._hot_days = ignite.hot_days
        self._eraser = Eraser(self._shared, self._persistent)
        self._memory = NodeMemory(ignite)
        self.eviction = MemoryEviction(self._memory, self._shared, self._persistent)
        self._nodes: set[str] = set()
        self._recall_at = 0.0
        self._seal_at = time.monotonic() + _SEAL_EVERY_S
        self.outbox_bytes = 0
        """The size of all unconfirmed chunks, in bytes."""
        self.erasures = 0
        """Pending erasures, of all partitions."""

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._shared.close()
        self._persistent.close()
        self._memory.close()

    def step(self) -> None:
        """Do all work that is due; a duty that fails does not keep the others from running.

        So chunks go to Ignite while Cassandra is away. Raises `StoreUnavailable`, or a group of
        several errors, after all duties were tried; the next step tries again.
        """
        before, lost = self._nodes, self.lost()
        if self._nodes != before:
            self._recall_at = 0.0
        if lost:
            self.send_again()
        duties = (
            self._evict_if_crowded,
            self._recall_if_due,
            self.round,
            self.erase,
            self._seal_if_due,
        )
        attempt_each("duties of the outbox relay", duties)

    def _evict_if_crowded(self) -> None:
        self.eviction.keep(self._unconfirmed)

    def _recall_if_due(self) -> None:
        if time.monotonic() >= self._recall_at:
            self._recall_at = time.monotonic() + _RECALL_AGAIN_S  # in case it fails
            if not self.recall():
                self._recall_at = time.monotonic() + _RECALL_EVERY_S

    def _seal_if_due(self) -> None:
        if time.monotonic() >= self._seal_at:
            self.seal(time.time_ns() // 1_000_000)
            self._seal_at = time.monotonic() + _SEAL_EVERY_S

    def seal(self, now: int) -> None:
        """Merge chunks of past hours, and remove the parts of chunks that were merged before."""
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                erasing = bool(state.erasures.pending())
                waiting = state.unconfirmed()
            heads = self._shared.heads(partition)
            parts = compaction.obsolete(heads)
            whole = [each for each in heads if each.chunk_id not in parts]
            groups = compaction.groups(whole, now)
            if not erasing:  # else an erasure is rewriting its chunks
                removed = self._remove_parts(parts, waiting)
                merged = self._merge(groups, waiting)
                if removed or merged:
                    log.info("chunks_sealed", partition=partition, merged=merged, removed=removed)
            self._evict_cold(whole, waiting.union(*groups), now)

    def _remove_parts(self, parts: Mapping[str, str], waiting: set[str]) -> int:
        safe = self._persistent.rows(sorted({*parts.values()} - waiting))
        removed = [part for part, whole in parts.items() if whole in safe and part not in waiting]
        self._shared.remove(removed)
        return len(removed)

    def _merge(self, groups: Sequence[Sequence[str]], waiting: set[str]) -> int:
        merged = 0
        for ids in groups[:_GROUPS_AT_ONCE]:
            if waiting.isdisjoint(ids):
                chunks = self._shared.read(ids)
                if len(chunks) == len(ids):
                    self._shared.put(compaction.merge(chunks))
                    merged += 1
        return merged

    def _evict_cold(self, whole: Sequence[ChunkHead], needed: set[str], now: int) -> None:
        """Evict old chunks from Ignite that Cassandra has, except those with *needed* ids."""
        old = [each.chunk_id for each in cold_chunks.cold(whole, self._hot_days, now)]
        safe = self._persistent.rows([each for each in old if each not in needed])
        if safe:
            self._shared.evict(sorted(safe))
            log.info("chunks_cooled", partition=whole[0].partition, chunks=len(safe))

    def lost(self) -> bool:
        """Return whether an Ignite node has left since the last call; its chunks may be lost.

        A node that has come back has a new id, so its restart counts too.
        """
        before, self._nodes = self._nodes, self._shared.nodes()
        return not before <= self._nodes

    def send_again(self) -> None:
        """Mark every unconfirmed chunk to be sent to Ignite again, without the usual delay."""
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                state.send_again(state.unconfirmed())

    def recall(self) -> int:
        """Load chunks that only Cassandra has into Ignite, and return how many were loaded.

        Only chunks younger than `ignite.hot_days` are loaded, the newest first, and only while
        there is room for them.
        """
        now = time.time_ns() // 1_000_000
        missing: list[ChunkHead] = []
        for partition, heads in self._persistent.heads().items():
            elsewhere = {each.chunk_id for each in self._shared.heads(partition)}
            elsewhere.update(each.chunk_id for each in cold_chunks.cold(heads, self._hot_days, now))
            missing += [each for each in heads if each.chunk_id not in elsewhere]
        missing.sort(key=lambda each: (each.hour, each.first_offset), reverse=True)
        recalled = self._shared.recall([each.chunk_id for each in missing])
        if missing:
            log.info("chunks_recalled", missing=len(missing), chunks=recalled)
        return recalled

    def round(self) -> None:
        """Confirm and send the chunks of every outbox; an error in one does not stop the others."""
        sizes: list[int] = []
        attempt_each(
            "outboxes",
            (
                partial(self._tend_outbox, partition, sizes)
                for partition in self._states.partitions()
            ),
        )
        self.outbox_bytes = sum(sizes)

    def _tend_outbox(self, partition: int, sizes: list[int]) -> None:
        with self._states.open(partition) as state:
            sizes.append(state.outbox_bytes)
            self.outbox_bytes = max(self.outbox_bytes, sum(sizes))
            now = time.time_ns() // 1_000_000
            # Confirmed chunks can be evicted, which makes room for those to be sent.
            attempt_each(
                "confirming and sending of an outbox",
                (
                    partial(outbox.confirm, state, self._shared, self._persistent, now),
                    partial(outbox.send, state, self._shared, now),
                ),
            )

    def _unconfirmed(self) -> set[str]:
        """Return the ids of all chunks in all outboxes."""
        ids: set[str] = set()
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                ids |= state.unconfirmed()
        return ids

    def erase(self) -> None:
        """Advance the erasures of every partition by one step."""
        pending = 0
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                pending += self._eraser.step(state, partition, time.time_ns() // 1_000_000)
        self.erasures = pending
