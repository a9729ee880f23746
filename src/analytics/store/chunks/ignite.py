"""The chunks in Ignite's memory, which the processes of a cluster share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from pyignite import GenericObjectMeta
from pyignite.datatypes import ByteArrayObject, LongObject, String

from analytics.guard import Guard
from analytics.settings import IgniteSettings
from analytics.store.chunks.base import ChunkStore
from analytics.store.chunks.chunk import Chunk, ChunkHead, ChunkKind
from analytics.store.ignite.client import IgniteClient
from analytics.store.ignite.memory import ROOMY_BELOW, Admission, NodeMemory
from analytics.store.ignite.tables import CHUNKS
from analytics.store.ignite.tables import ColumnType as ColumnKind

_TYPES: Final = {
    ColumnKind.TEXT: String,
    ColumnKind.LONG: LongObject,
    ColumnKind.BYTES: ByteArrayObject,
}
_AT_ONCE: Final = 16
"""Chunks in one response: each may be a megabyte."""
_RECALLED_AT_ONCE: Final = 4
"""Chunks loaded before room is checked again: their size is not known in advance."""
_HEAD: Final = (CHUNKS.key.name, *(each.name for each in CHUNKS.columns if each.name != "payload"))


# The driver generates a class for each value type; `Any`, because the driver is untyped.
_Value: Any = GenericObjectMeta(
    "_Value",
    (),
    {},
    type_name=CHUNKS.value_type,
    schema=OrderedDict((each.name, _TYPES[each.kind]) for each in CHUNKS.columns),
)


class IgniteChunks:
    """`ChunkStore` in Ignite, at the nodes that *settings* name. For one thread."""

    def __init__(self, settings: IgniteSettings, guard: Guard | None = None) -> None:
        self._client = IgniteClient(settings, guard)
        self._memory = NodeMemory(settings)
        self._admission = Admission(self._memory)

    def close(self) -> None:
        """See `ChunkReader.close`."""
        self._client.close()
        self._memory.close()

    def nodes(self) -> set[str]:
        """Return the ids of the running nodes; a node gets a new id at each start."""
        rows = self._client.rows(
            "SELECT CAST(NODE_ID AS VARCHAR) FROM SYS.NODES WHERE NOT IS_CLIENT"
        )
        return {node for (node,) in rows}

    def add(self, chunks: Sequence[Chunk]) -> None:
        """See `ChunkStore.add`. An old version, arriving late, cannot replace a rewritten chunk."""
        for each in chunks:
            self._admission.check()
            self._client.swap(CHUNKS.name, each.chunk_id, None, _value(each))
            self._admission.wrote(len(each.payload))

    def put(self, chunks: Sequence[Chunk]) -> None:
        """See `ChunkStore.put`."""
        for each in chunks:
            self._admission.check()
            self._client.put(CHUNKS.name, {each.chunk_id: _value(each)})
            self._admission.wrote(len(each.payload))

    def following(self, partition: int, offset: int, limit: int) -> list[Chunk]:
        """See `ChunkReader.following`."""
        columns = ", ".join((*_HEAD, "payload"))
        rows = self._client.rows(
            f"SELECT {columns} FROM {CHUNKS.name} WHERE log_partition = ?"  # noqa: S608 - names of our own
            " AND first_offset >= ? ORDER BY first_offset LIMIT ?",
            (partition, offset, limit),
        )
        return [Chunk(*_head(row), payload=bytes(row[-1])) for row in rows]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        """See `ChunkReader.holding`."""
        columns = ", ".join((*_HEAD, "payload"))
        rows = self._client.rows(
            f"SELECT {columns} FROM {CHUNKS.name} WHERE log_partition = ?"  # noqa: S608
            " AND first_offset < ? AND last_offset >= ? ORDER BY first_offset LIMIT 1",
            (partition, offset, offset),
        )
        return Chunk(*_head(rows[0]), payload=bytes(rows[0][-1])) if rows else None

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        """See `ChunkReader.read`."""
        columns = ", ".join((*_HEAD, "payload"))
        rows = []
        for part in _parts(ids, _AT_ONCE):
            marks = ", ".join("?" * len(part))
            rows += self._client.rows(
                f"SELECT {columns} FROM {CHUNKS.name} WHERE chunk_id IN ({marks})",  # noqa: S608
                part,
            )
        chunks = [Chunk(*_head(row), payload=bytes(row[-1])) for row in rows]
        return sorted(chunks, key=lambda each: each.first_offset)

    def partitions(self) -> list[int]:
        """See `ChunkReader.partitions`."""
        rows = self._client.rows(f"SELECT DISTINCT log_partition FROM {CHUNKS.name}")  # noqa: S608
        return sorted(number for (number,) in rows)

    def heads(self, partition: int) -> list[ChunkHead]:
        """See `ChunkReader.heads`."""
        rows = self._client.rows(
            f"SELECT {', '.join(_HEAD)} FROM {CHUNKS.name} WHERE log_partition = ?"  # noqa: S608
            " ORDER BY first_offset",
            (partition,),
        )
        return [_head(row) for row in rows]

    def rows(self, ids: Sequence[str]) -> dict[str, int]:
        """See `ChunkStore.rows`."""
        counts: dict[str, int] = {}
        for part in _parts(ids, 100):
            marks = ", ".join("?" * len(part))
            rows = self._client.rows(
                f"SELECT chunk_id, row_count FROM {CHUNKS.name} WHERE chunk_id IN ({marks})",  # noqa: S608
                part,
            )
            counts.update(dict(map(tuple, rows)))
        return counts

    def recall(self, ids: Sequence[str]) -> int:
        """Load these chunks from Cassandra into memory, in order, while there is room.

        Return how many were loaded or already in memory.
        """
        admission = Admission(self._memory, below=ROOMY_BELOW)
        recalled = 0
        for part in _parts(ids, _RECALLED_AT_ONCE):
            if not admission.has_room():
                break
            for value in self._client.get(CHUNKS.name, part).values():
                if value is not None:
                    admission.wrote(len(value.payload))
                    recalled += 1
        return recalled

    def evict(self, ids: Sequence[str]) -> None:
        """See `ChunkStore.evict`."""
        for part in _parts(ids, 100):
            self._client.evict(CHUNKS.name, part)

    def remove(self, ids: Sequence[str]) -> None:
        """Delete these chunks from memory and from Cassandra."""
        for part in _parts(ids, 100):
            self._client.remove(CHUNKS.name, part)


def _value(chunk: Chunk) -> Any:
    return _Value(
        kind=chunk.kind.value,
        site=chunk.site,
        hour=chunk.hour,
        log_partition=chunk.partition,
        first_offset=chunk.first_offset,
        last_offset=chunk.last_offset,
        row_count=chunk.rows,
        schema_version=chunk.version,
        payload=chunk.payload,
    )


def _head(row: Sequence[Any]) -> ChunkHead:
    return ChunkHead(row[0], ChunkKind(row[1]), *row[2:9])


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


_: type[ChunkStore] = IgniteChunks
