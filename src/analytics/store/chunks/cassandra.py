"""The chunks in Cassandra, read-only: Ignite alone writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cassandra.cluster import Cluster, Session
from cassandra.concurrent import execute_concurrent_with_args

from analytics.guard import Guard
from analytics.settings import CassandraSettings
from analytics.store import guards
from analytics.store.chunks import cql
from analytics.store.chunks.base import PersistentChunks
from analytics.store.chunks.chunk import Chunk, ChunkHead, ChunkKind
from analytics.store.ignite.tables import CHUNKS

_HEAD: Final = (CHUNKS.key.name, *(each.name for each in CHUNKS.columns if each.name != "payload"))


class CassandraChunks:
    """`PersistentChunks` in Cassandra, at the nodes that *settings* name. For one thread."""

    def __init__(self, settings: CassandraSettings, guard: Guard | None = None) -> None:
        self._settings = settings
        self._guard = guard or guards.cassandra(settings)
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._rows: Any = None
        self._whole: Any = None

    def close(self) -> None:
        """See `PersistentChunks.close`."""
        cluster, self._cluster, self._session = self._cluster, None, None
        if cluster is not None:
            cluster.shutdown()

    def rows(self, ids: Sequence[str]) -> dict[str, int]:
        """See `PersistentChunks.rows`."""
        with self._connected() as session:
            results = execute_concurrent_with_args(
                session, self._rows, [(each,) for each in ids], concurrency=16
            )
            return {row.chunk_id: row.row_count for _, rows in results for row in rows}

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        """See `PersistentChunks.read`."""
        with self._connected() as session:
            results = execute_concurrent_with_args(
                session, self._whole, [(each,) for each in ids], concurrency=4
            )
            chunks = [
                Chunk(*_head(row), payload=bytes(row[-1])) for _, rows in results for row in rows
            ]
        return sorted(chunks, key=lambda each: each.first_offset)

    def heads(self) -> dict[int, list[ChunkHead]]:
        """See `PersistentChunks.heads`."""
        heads_of: dict[int, list[ChunkHead]] = {}
        with self._connected() as session:
            for row in session.execute(
                f"SELECT {', '.join(_HEAD)} FROM {CHUNKS.name}",  # noqa: S608 - names of our own
                timeout=120,
            ):
                head = _head(row)
                heads_of.setdefault(head.partition, []).append(head)
        for heads in heads_of.values():
            heads.sort(key=lambda each: (each.first_offset, -each.last_offset))
        return dict(sorted(heads_of.items()))

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        with self._guard.call(), cql.translated(self._settings):
            try:
                if self._session is None:
                    self._open()
                yield self._session
            except Exception:
                self.close()
                raise

    def _open(self) -> None:
        self._cluster = cql.cluster(self._settings)
        self._session = self._cluster.connect(self._settings.keyspace)
        self._rows = self._session.prepare(
            f"SELECT chunk_id, row_count FROM {CHUNKS.name} WHERE chunk_id = ?"  # noqa: S608
        )
        self._whole = self._session.prepare(
            f"SELECT {', '.join(_HEAD)}, payload FROM {CHUNKS.name} WHERE chunk_id = ?"  # noqa: S608
        )


def _head(row: Sequence[Any]) -> ChunkHead:
    return ChunkHead(row[0], ChunkKind(row[1]), *row[2:9])


_: type[PersistentChunks] = CassandraChunks
