"""The courier: goes from outbox to outbox until Cassandra has what is in them, erasures too."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from analytics.background import BackgroundThread, LoopState, attempt_each
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
"""To look for what Ignite has forgotten takes a scan of Cassandra."""
_RECALL_AGAIN_S: Final = 10.0
"""As long as something was missing: what is fetched while a node joins may be lost on its way."""


class OutboxRelay:
    """A thread of its own, while its `with` block runs."""

    def __init__(
        self, states: StateDirectory, ignite: IgniteSettings, cassandra: CassandraSettings
    ) -> None:
        self._states = states
        guarded = guards.ignite(ignite), guards.cassandra(cassandra)
        self._shared = IgniteChunks(ignite, guarded[0])
        self._kept = CassandraChunks(cassandra, guarded[1])
        self.breakers = [guard.breaker for guard in guarded]
        self._hot_days = ignite.hot_days
        self._eraser = Eraser(self._shared, self._kept)
        self._memory = NodeMemory(ignite)
        self.headroom = MemoryEviction(self._memory, self._shared, self._kept)
        self._nodes: set[str] = set()
        self._recall_at = 0.0
        self._seal_at = time.monotonic() + _SEAL_EVERY_S
        self._shipping = BackgroundThread(
            "courier",
            self.step,
            every_s=_EVERY_S,
            meanwhile="Finished chunks may wait in the outbox, and erasures too.",
            first_after_s=_EVERY_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self.outbox_bytes = 0
        """What is not yet confirmed."""
        self.erasures = 0
        """Orders that have not reached every chunk, all partitions."""

    def __enter__(self) -> OutboxRelay:
        self._shipping.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._shipping.__exit__()
        self.close()

    @property
    def loop(self) -> LoopState:
        """The state of its background loop."""
        return self._shipping.state

    def close(self) -> None:
        """Give the connections back."""
        self._shared.close()
        self._kept.close()
        self._memory.close()

    def step(self) -> None:
        """Do all that is to be done now; what fails holds up nothing else that can be done.

        So chunks go to Ignite though Cassandra is away. Raises `StoreUnavailable`, or a group of
        several: then the next step goes on.
        """
        before, lost = self._nodes, self.lost()
        if self._nodes != before:
            self._recall_at = 0.0
        if lost:
            self.send_again()
        duties = (
            self._keep_headroom,
            self._recall_if_due,
            self.round,
            self.erase,
            self._seal_if_due,
        )
        attempt_each("courier's duties", duties)

    def _keep_headroom(self) -> None:
        self.headroom.keep(self._unconfirmed)

    def _recall_if_due(self) -> None:
        if time.monotonic() >= self._recall_at:
            self._recall_at = time.monotonic() + _RECALL_AGAIN_S  # should it fail
            if not self.recall():
                self._recall_at = time.monotonic() + _RECALL_EVERY_S

    def _seal_if_due(self) -> None:
        if time.monotonic() >= self._seal_at:
            self.seal(time.time_ns() // 1_000_000)
            self._seal_at = time.monotonic() + _SEAL_EVERY_S

    def seal(self, now: int) -> None:
        """Merge chunks of past hours, and let go the parts of what was merged before."""
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                erasing = bool(state.erasures.pending())
                waiting = state.unconfirmed()
            heads = self._shared.heads(partition)
            parts = compaction.obsolete(heads)
            whole = [each for each in heads if each.chunk_id not in parts]
            groups = compaction.groups(whole, now)
            if not erasing:  # else its chunks are being rewritten
                gone = self._let_go(parts, waiting)
                made = self._merge(groups, waiting)
                if gone or made:
                    log.info("chunks_sealed", partition=partition, merged=made, removed=gone)
            self._cool(whole, waiting.union(*groups), now)

    def _let_go(self, parts: Mapping[str, str], waiting: set[str]) -> int:
        safe = self._kept.rows(sorted({*parts.values()} - waiting))
        gone = [part for part, whole in parts.items() if whole in safe and part not in waiting]
        self._shared.remove(gone)
        return len(gone)

    def _merge(self, groups: Sequence[Sequence[str]], waiting: set[str]) -> int:
        made = 0
        for ids in groups[:_GROUPS_AT_ONCE]:
            if waiting.isdisjoint(ids):
                chunks = self._shared.read(ids)
                if len(chunks) == len(ids):
                    self._shared.put(compaction.merge(chunks))
                    made += 1
        return made

    def _cool(self, whole: Sequence[ChunkHead], needed: set[str], now: int) -> None:
        """Let go from Ignite's state what is old, if Cassandra has it and nobody *needed* it."""
        old = [each.chunk_id for each in cold_chunks.cold(whole, self._hot_days, now)]
        safe = self._kept.rows([each for each in old if each not in needed])
        if safe:
            self._shared.evict(sorted(safe))
            log.info("chunks_cooled", partition=whole[0].partition, chunks=len(safe))

    def lost(self) -> bool:
        """Whether a node of Ignite has left since the last time: what it had may be gone.

        One that is back already has another id, and as little.
        """
        before, self._nodes = self._nodes, self._shared.nodes()
        return not before <= self._nodes

    def send_again(self) -> None:
        """Send all that is not in Cassandra to Ignite once more, without waiting for long."""
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                state.send_again(state.unconfirmed())

    def recall(self) -> int:
        """Fetch into Ignite's state what only Cassandra has, as far as it belongs and fits there.

        It belongs there while it is younger than `ignite.hot_days`. The newest come first: they
        are what is asked for. How many chunks came.
        """
        now = time.time_ns() // 1_000_000
        missing: list[ChunkHead] = []
        for partition, heads in self._kept.heads().items():
            elsewhere = {each.chunk_id for each in self._shared.heads(partition)}
            elsewhere.update(each.chunk_id for each in cold_chunks.cold(heads, self._hot_days, now))
            missing += [each for each in heads if each.chunk_id not in elsewhere]
        missing.sort(key=lambda each: (each.hour, each.first_offset), reverse=True)
        recalled = self._shared.recall([each.chunk_id for each in missing])
        if missing:
            log.info("chunks_recalled", missing=len(missing), chunks=recalled)
        return recalled

    def round(self) -> None:
        """Go once to every outbox. What one is refused keeps no other from being confirmed."""
        sizes: list[int] = []
        attempt_each(
            "outboxes",
            (partial(self._ship, partition, sizes) for partition in self._states.partitions()),
        )
        self.outbox_bytes = sum(sizes)

    def _ship(self, partition: int, sizes: list[int]) -> None:
        with self._states.open(partition) as state:
            sizes.append(state.outbox_bytes)
            self.outbox_bytes = max(self.outbox_bytes, sum(sizes))
            now = time.time_ns() // 1_000_000
            # What is confirmed can leave Ignite, and makes room for what is sent.
            attempt_each(
                "ways out of an outbox",
                (
                    partial(outbox.confirm, state, self._shared, self._kept, now),
                    partial(outbox.send, state, self._shared, now),
                ),
            )

    def _unconfirmed(self) -> set[str]:
        """The ids of all chunks in the outboxes."""
        ids: set[str] = set()
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                ids |= state.unconfirmed()
        return ids

    def erase(self) -> None:
        """Take every erasure a step further."""
        left = 0
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                left += self._eraser.step(state, partition, time.time_ns() // 1_000_000)
        self.erasures = left
