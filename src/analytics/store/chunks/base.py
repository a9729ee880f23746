"""What the stores of a cluster's chunks promise.

Chunks lie in two tiers. Ignite holds the recent ones in memory (`ChunkStore`) and writes each
behind to Cassandra, which holds all of them on disk (`PersistentChunks`). Most readers need not
know which tier has a chunk (`ChunkReader`).

All methods block, and an instance serves one thread at a time. Every method raises
`StoreUnavailable` when the server it needs does not answer; repeating a call is always safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from analytics.store.chunks.chunk import Chunk, ChunkHead


class ChunkReader(Protocol):
    """Reads the chunks of every partition. See `IgniteChunks` and `TieredChunks`."""

    def partitions(self) -> Sequence[int]:
        """Return the partitions that have chunks, in ascending order."""

    def heads(self, partition: int) -> Sequence[ChunkHead]:
        """Return the heads of all chunks of *partition*, ordered by their first offsets."""

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        """Return up to *limit* chunks of *partition* that begin at *offset* or later.

        They are ordered by their first offsets. There may be gaps between them, and several may
        begin at one offset: `chunk.chain` selects those to read.
        """

    def holding(self, partition: int, offset: int) -> Chunk | None:
        """Return the chunk of *partition* that begins before *offset* and contains it, or None."""

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        """Return the chunks with these *ids*, ordered by their first offsets.

        Ids of chunks that do not exist (any more) are left out.
        """

    def close(self) -> None:
        """Close the connections."""


class ChunkIndex(Protocol):
    """The heads of all chunks, part of which may be cached."""

    def heads(self, partition: int) -> Sequence[ChunkHead]:
        """Return the heads of all chunks of *partition*, ordered by their first offsets."""

    def refresh(self) -> None:
        """Discard what is cached, so that the next call sees the current index."""


class ChunkStore(ChunkReader, Protocol):
    """The chunks in memory, which all processes share. See `IgniteChunks`."""

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Store those of *chunks* whose ids are not in memory; return when they are.

        A chunk that is in memory stays as it is. Raises `StoreUnavailable` when memory is nearly
        full; some of *chunks* may be stored by then.
        """

    def put(self, chunks: Sequence[Chunk]) -> None:
        """Store *chunks*, replacing those with the same ids; return when they are in memory.

        Raises `StoreUnavailable` when memory is nearly full, as `add` does.
        """

    def rows(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Map the id of each chunk among *ids* that is in memory to its number of rows."""

    def evict(self, ids: Sequence[str]) -> None:
        """Remove these chunks from memory only; Cassandra keeps them."""


class PersistentChunks(Protocol):
    """The chunks on disk, read-only: Ignite alone writes them. See `CassandraChunks`."""

    def heads(self) -> Mapping[int, Sequence[ChunkHead]]:
        """Map each partition to the heads of its chunks, ordered by their first offsets.

        This scans the whole table.
        """

    def rows(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Map the id of each chunk among *ids* that is on disk to its number of rows."""

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        """Return the chunks among *ids* that are on disk, ordered by their first offsets."""

    def close(self) -> None:
        """Close the connection."""
