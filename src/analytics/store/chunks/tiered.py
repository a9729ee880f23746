"""The archive: every chunk of a cluster, whether Ignite has it in memory or only Cassandra does.

Ignite's index knows what is in its memory. What has left it is in Cassandra's index, and is read
from there: through Ignite it would come back into a memory that had no room for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from analytics.errors import StoreUnavailable
from analytics.store.chunks import codec
from analytics.store.chunks.base import ChunkIndex, ChunkReader, PersistentChunks
from analytics.store.chunks.chunk import Chunk, ChunkHead

_LOOK_EVERY_S: Final = 30.0
"""To look at Cassandra's index takes a scan."""


class TieredChunks:
    """All chunks. For one thread; raises `StoreUnavailable` when what it needs is away."""

    def __init__(
        self,
        in_memory: ChunkReader,
        on_disk: PersistentChunks,
        *,
        look_every_s: float = _LOOK_EVERY_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._in_memory = in_memory
        self._on_disk = on_disk
        self._look_every_s = look_every_s
        self._now = now
        self._looked_at: float | None = None
        self._tried = False
        self._index: Mapping[int, Sequence[ChunkHead]] = {}

    def close(self) -> None:
        """Give both connections back."""
        self._in_memory.close()
        self._on_disk.close()

    def following(self, partition: int, offset: int, limit: int) -> list[Chunk]:
        """The next chunks of *partition* from *offset* on, in order."""
        found = list(self._in_memory.following(partition, offset, limit))
        if found and (found[0].first_offset == offset or (not offset and begins(found[0]))):
            return found
        # Nothing follows in memory, so what does may have left it, unless there is nothing new.
        self._look(need=bool(found) or not offset)
        older = [each for each in self._index.get(partition, ()) if each.first_offset >= offset]
        there = {each.chunk_id for each in found}
        gone = [each.chunk_id for each in older[:limit] if each.chunk_id not in there]
        found += self.read(gone)
        return sorted(found, key=lambda each: each.first_offset)[:limit]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        """The chunk of *partition* in the midst of which *offset* lies; None without one."""
        found = self._in_memory.holding(partition, offset)
        if found is None:
            self._look(need=True)
            for each in self._index.get(partition, ()):
                if each.first_offset < offset <= each.last_offset:
                    return next(iter(self.read([each.chunk_id])), None)
        return found

    def partitions(self) -> list[int]:
        """The partitions that have chunks."""
        self._look(need=False)
        return sorted({*self._in_memory.partitions(), *self._index})

    def heads(self, partition: int) -> list[ChunkHead]:
        """What the indexes know of the chunks of *partition*, in the order of their offsets."""
        self._look(need=True)
        known = {each.chunk_id: each for each in self._index.get(partition, ())}
        known |= {each.chunk_id: each for each in self._in_memory.heads(partition)}
        return sorted(known.values(), key=lambda each: (each.first_offset, -each.last_offset))

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        """The chunks of these *ids* in the order of offsets; those that are nowhere left out."""
        found = list(self._in_memory.read(ids))
        there = {each.chunk_id for each in found}
        gone = [each for each in ids if each not in there]
        if gone:
            found += self._on_disk.read(gone)
        return sorted(found, key=lambda each: each.first_offset)

    def refresh(self) -> None:
        """Let nothing that is known of Cassandra be taken for granted any more."""
        self._looked_at = None

    def _look(self, *, need: bool) -> None:
        """Know what Cassandra has; without *need*, what was known, or nothing, will do."""
        fresh = self._looked_at is not None and self._now() < self._looked_at + self._look_every_s
        if fresh or (self._tried and not need):
            return
        self._tried = True
        try:
            self._index = self._on_disk.heads()
        except StoreUnavailable:
            if need:
                raise
        else:
            self._looked_at = self._now()


def begins(first: Chunk) -> bool:
    """Whether nothing was ever folded before this chunk."""
    return codec.read(first.chunk_id, first.payload).begins


_: tuple[type[ChunkReader], type[ChunkIndex]] = (TieredChunks, TieredChunks)
