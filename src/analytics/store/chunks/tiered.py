"""Reads chunks from Ignite if it has them in memory, and from Cassandra otherwise.

Ignite's SQL index covers only its memory. Evicted chunks are found in Cassandra's index and read
from there: reading them through Ignite would load them into memory again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from analytics.errors import StoreUnavailable
from analytics.store.chunks import codec
from analytics.store.chunks.base import ChunkIndex, ChunkReader, PersistentChunks
from analytics.store.chunks.chunk import Chunk, ChunkHead

_CACHE_S: Final = 30.0
"""How long Cassandra's index is cached: reading it takes a scan."""


class TieredChunks:
    """A `ChunkReader` of both tiers, which caches Cassandra's index. For one thread."""

    def __init__(
        self,
        in_memory: ChunkReader,
        on_disk: PersistentChunks,
        *,
        cache_s: float = _CACHE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._in_memory = in_memory
        self._on_disk = on_disk
        self._cache_s = cache_s
        self._now = now
        self._loaded_at: float | None = None
        self._tried = False
        self._index: Mapping[int, Sequence[ChunkHead]] = {}

    def close(self) -> None:
        """Close the connections of both tiers."""
        self._in_memory.close()
        self._on_disk.close()

    def following(self, partition: int, offset: int, limit: int) -> list[Chunk]:
        """See `ChunkReader.following`."""
        chunks = list(self._in_memory.following(partition, offset, limit))
        if chunks and (chunks[0].first_offset == offset or (not offset and begins(chunks[0]))):
            return chunks
        # The next chunk is not in memory: it was evicted, or does not exist yet.
        self._load_index(need=bool(chunks) or not offset)
        older = [each for each in self._index.get(partition, ()) if each.first_offset >= offset]
        in_memory = {each.chunk_id for each in chunks}
        evicted = [each.chunk_id for each in older[:limit] if each.chunk_id not in in_memory]
        chunks += self.read(evicted)
        return sorted(chunks, key=lambda each: each.first_offset)[:limit]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        """See `ChunkReader.holding`."""
        chunk = self._in_memory.holding(partition, offset)
        if chunk is None:
            self._load_index(need=True)
            for each in self._index.get(partition, ()):
                if each.first_offset < offset <= each.last_offset:
                    return next(iter(self.read([each.chunk_id])), None)
        return chunk

    def partitions(self) -> list[int]:
        """See `ChunkReader.partitions`."""
        self._load_index(need=False)
        return sorted({*self._in_memory.partitions(), *self._index})

    def heads(self, partition: int) -> list[ChunkHead]:
        """See `ChunkReader.heads`."""
        self._load_index(need=True)
        heads = {each.chunk_id: each for each in self._index.get(partition, ())}
        heads |= {each.chunk_id: each for each in self._in_memory.heads(partition)}
        return sorted(heads.values(), key=lambda each: (each.first_offset, -each.last_offset))

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        """See `ChunkReader.read`."""
        chunks = list(self._in_memory.read(ids))
        in_memory = {each.chunk_id for each in chunks}
        evicted = [each for each in ids if each not in in_memory]
        if evicted:
            chunks += self._on_disk.read(evicted)
        return sorted(chunks, key=lambda each: each.first_offset)

    def refresh(self) -> None:
        """Discard the cached index of Cassandra."""
        self._loaded_at = None

    def _load_index(self, *, need: bool) -> None:
        """Read Cassandra's index if it is not cached.

        Without *need*, an outdated index, or none after a failed attempt, is good enough; with it,
        raises `StoreUnavailable` if Cassandra does not answer.
        """
        fresh = self._loaded_at is not None and self._now() < self._loaded_at + self._cache_s
        if fresh or (self._tried and not need):
            return
        self._tried = True
        try:
            self._index = self._on_disk.heads()
        except StoreUnavailable:
            if need:
                raise
        else:
            self._loaded_at = self._now()


def begins(first: Chunk) -> bool:
    """Return whether *first* is the first chunk its partition ever had. Raises `Corrupt`."""
    return codec.read(first.chunk_id, first.payload).begins


_: tuple[type[ChunkReader], type[ChunkIndex]] = (TieredChunks, TieredChunks)
