"""What runs in each of Spark's Python workers: a partition's records go in, a tally comes out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import structlog

from analytics.errors import StoreUnavailable
from analytics.job.partition import outbox
from analytics.job.partition.batch import BatchStats, LogEntry, process_batch
from analytics.job.partition.recovery import rebuild
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.partition.state_store import PartitionState
from analytics.pipeline.source import Sources
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks

log = structlog.get_logger()

RECORDS_AT_ONCE: Final = 5_000
"""A chunk of so many rows is well below a megabyte."""
TALLY: Final = (
    "partition int, records bigint, rows bigint, took_ms bigint, sent boolean, dead binary"
)
_TALLY: Final = pa.schema(
    [
        ("partition", pa.int32()),
        ("records", pa.int64()),
        ("rows", pa.int64()),
        ("took_ms", pa.int64()),
        ("sent", pa.bool_()),
        ("dead", pa.binary()),
    ]
)
_LEAVE_ALONE_S: Final = 5.0


class WorkerTask(NamedTuple):
    """What a worker must know; it is sent to each."""

    memories: StateDirectory
    ignite: IgniteSettings
    cassandra: CassandraSettings

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Fold what Spark hands over: records of one partition, in order."""
        self.memories.check()
        desk = _desk(self.memories, msgspec.json.encode(self.ignite.model_dump(mode="json")))
        desk.ignite, desk.cassandra = self.ignite, self.cassandra
        for batch in batches:
            for partition, records in _by_partition(batch):
                yield desk.fold(partition, records)


class PartitionWorker:
    """What a worker keeps from batch to batch: open files, a connection, tables."""

    def __init__(self, memories: StateDirectory) -> None:
        self._files = memories
        self._sources = Sources()
        self._memories: dict[int, PartitionState] = {}
        self._shared: IgniteChunks | None = None
        self._not_before = 0.0
        self.ignite = IgniteSettings()
        self.cassandra = CassandraSettings()

    def fold(self, partition: int, records: list[LogEntry]) -> pa.RecordBatch:
        """Fold *records*, send what came of it, and tell how much it was."""
        began = time.monotonic()
        memory = self._memory(partition, records[0].offset)
        folded = process_batch(memory, partition, records, self._sources)
        sent = self._send(memory)
        return _tally(partition, folded, time.monotonic() - began, sent=sent)

    def _memory(self, partition: int, first: int) -> PartitionState:
        """The memory of *partition*, in which everything before *first* is folded, if it can be."""
        memory = self._memories.get(partition)
        if memory is None:
            memory = self._memories[partition] = self._files.open(partition)
        reached = memory.next_offset
        if reached is None or reached < first:
            # The very first records, or a disk that was lost or is an old copy: the chunks know.
            # Old ones may be in Cassandra alone.
            archive = TieredChunks(IgniteChunks(self.ignite), CassandraChunks(self.cassandra))
            try:
                rebuild(memory, partition, archive)
            finally:
                archive.close()
        return memory

    def _store(self) -> IgniteChunks:
        if self._shared is None:
            self._shared = IgniteChunks(self.ignite)
        return self._shared

    def _send(self, memory: PartitionState) -> bool:
        """Send the outbox's chunks, if Ignite takes them: else they stay there, for later."""
        if time.monotonic() < self._not_before:
            return False
        try:
            outbox.send(memory, self._store(), time.time_ns() // 1_000_000)
        except StoreUnavailable as exc:
            log.warning("chunks_not_sent", error=str(exc))
            self._not_before = time.monotonic() + _LEAVE_ALONE_S
            return False
        return True


@cache
def _desk(memories: StateDirectory, _connection: bytes) -> PartitionWorker:
    return PartitionWorker(memories)


def _by_partition(batch: pa.RecordBatch) -> Iterator[tuple[int, list[LogEntry]]]:
    partitions = batch.column("partition").to_pylist()
    records = list(
        map(
            LogEntry,
            batch.column("offset").to_pylist(),
            batch.column("appended_at").to_pylist(),
            batch.column("value").to_pylist(),
        )
    )
    start = 0
    for index in range(1, len(records) + 1):
        if index == len(records) or partitions[index] != partitions[start]:
            yield partitions[start], records[start:index]
            start = index


def _tally(partition: int, folded: BatchStats, took_s: float, *, sent: bool) -> pa.RecordBatch:
    values = (
        partition,
        folded.records,
        folded.rows,
        round(took_s * 1000),
        sent,
        msgspec.msgpack.encode(folded.dead) if folded.dead else b"",
    )
    arrays = [pa.array([v], type=f.type) for v, f in zip(values, _TALLY, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_TALLY)
