"""The job of a cluster for tests of stores: it folds records into chunks, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from analytics.event import Erasure, LogRecord
from analytics.job.partition.batch import LogEntry, process_batch
from analytics.job.partition.state_store import PartitionState
from analytics.pipeline.source import Sources
from analytics.sharding import partition_of
from analytics.store.chunks.chunk import Chunk
from analytics.stream.record import encode

SOURCES = Sources()


class Shelf(Protocol):
    """Where chunks are put."""

    def put(self, chunks: Sequence[Chunk]) -> None: ...


class Job:
    """Records go into partitions, and what comes of them onto a shelf. It is its own log."""

    def __init__(self, folder: Path, shelf: Shelf, *, partitions: int, now: int) -> None:
        self._shelf = shelf
        self._now = now
        self.memories = [PartitionState(folder / f"{n}.sqlite") for n in range(partitions)]
        self.ends = dict.fromkeys(range(partitions), 0)

    def take(self, records: Sequence[LogRecord], at_once: int = 500) -> None:
        lanes: list[list[LogEntry]] = [[] for _ in self.memories]
        for record in records:
            lane = partition_of(record, len(lanes))
            lanes[lane].append(LogEntry(self.ends[lane], self._now, encode(record)))
            self.ends[lane] += 1
        for partition, (lane_, memory) in enumerate(zip(lanes, self.memories, strict=True)):
            for start in range(0, len(lane_), at_once):
                process_batch(memory, partition, lane_[start : start + at_once], SOURCES)
            chunks = memory.unsent(1 << 20)
            memory.sent(chunks, 1)
            self._shelf.put(chunks)

    async def partitions(self) -> Sequence[int]:
        """For orders to erase: see `ErasureLog`."""
        return sorted(self.ends)

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        """For orders to erase: see `ErasureLog`."""
        self.take(orders)
        return dict(self.ends)
