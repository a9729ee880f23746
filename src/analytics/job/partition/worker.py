"""Runs in each of Spark's Python workers: processes a partition's records and yields a tally."""

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
"""A chunk of this many rows is well below a megabyte."""
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
_RETRY_AFTER_S: Final = 5.0


class WorkerTask(NamedTuple):
    """The task that Spark sends to each worker."""

    states: StateDirectory
    ignite: IgniteSettings
    cassandra: CassandraSettings

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Process *batches* and yield rows of `TALLY`.

        Each batch has the columns partition, offset, appended_at (UTC ms) and value, and the
        records of each partition in offset order. Raises `Misconfigured` if another run of
        the job owns the state folder.
        """
        self.states.check()
        worker = _worker(self.states, msgspec.json.encode(self.ignite.model_dump(mode="json")))
        worker.ignite, worker.cassandra = self.ignite, self.cassandra
        for batch in batches:
            for partition, records in _by_partition(batch):
                yield worker.fold(partition, records)


class PartitionWorker:
    """A worker and what it keeps open: state files, a connection, reference tables."""

    def __init__(self, states: StateDirectory) -> None:
        self._directory = states
        self._sources = Sources()
        self._states: dict[int, PartitionState] = {}
        self._shared: IgniteChunks | None = None
        self._not_before = 0.0
        self.ignite = IgniteSettings()
        self.cassandra = CassandraSettings()

    def fold(self, partition: int, records: list[LogEntry]) -> pa.RecordBatch:
        """Process *records*, send the outbox, and return one row of `TALLY`."""
        began = time.monotonic()
        state = self._state(partition, records[0].offset)
        folded = process_batch(state, partition, records, self._sources)
        sent = self._send(state)
        return _tally(partition, folded, time.monotonic() - began, sent=sent)

    def _state(self, partition: int, first: int) -> PartitionState:
        """Return the state of *partition*, rebuilt from its chunks if it does not reach *first*."""
        state = self._states.get(partition)
        if state is None:
            state = self._states[partition] = self._directory.open(partition)
        next_offset = state.next_offset
        if next_offset is None or next_offset < first:
            # The partition is new, or its state file was lost or restored from an old copy.
            # Old chunks may be in Cassandra alone.
            archive = TieredChunks(IgniteChunks(self.ignite), CassandraChunks(self.cassandra))
            try:
                rebuild(state, partition, archive)
            finally:
                archive.close()
        return state

    def _store(self) -> IgniteChunks:
        if self._shared is None:
            self._shared = IgniteChunks(self.ignite)
        return self._shared

    def _send(self, state: PartitionState) -> bool:
        """Send the outbox to Ignite; return False if Ignite is away and the chunks must wait."""
        if time.monotonic() < self._not_before:
            return False
        try:
            outbox.send(state, self._store(), time.time_ns() // 1_000_000)
        except StoreUnavailable as exc:
            log.warning("chunks_not_sent", error=str(exc))
            self._not_before = time.monotonic() + _RETRY_AFTER_S
            return False
        return True


@cache
def _worker(states: StateDirectory, _connection: bytes) -> PartitionWorker:
    return PartitionWorker(states)


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
