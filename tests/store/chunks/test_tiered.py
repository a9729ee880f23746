"""The archive: chunks in order, wherever they lie, and no look at the disk without need."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analytics.errors import StoreUnavailable
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import Chunk, ChunkHead, RecordSpan
from analytics.store.chunks.tiered import TieredChunks


def made(first: int, last: int) -> Chunk:
    ledger = {LedgerKey("a.example", 0): LedgerLine(last - first + 1, 0, 0, {"x": 1}, 0)}
    (one,) = codec.pack(3, [RecordSpan(first, last, ledger)], (), (), begins=first == 0)
    return one


class Memory:
    """What Ignite has in its memory."""

    def __init__(self, there: Sequence[Chunk]) -> None:
        self.there = list(there)

    def following(self, partition: int, offset: int, limit: int) -> list[Chunk]:
        return [each for each in self.there if each.first_offset >= offset][:limit]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        found = (each for each in self.there if each.first_offset < offset <= each.last_offset)
        return next(found, None)

    def partitions(self) -> list[int]:
        return sorted({each.partition for each in self.there})

    def heads(self, partition: int) -> list[ChunkHead]:
        return [head(each) for each in self.there]

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        return [each for each in self.there if each.chunk_id in ids]

    def close(self) -> None:
        pass


class Disk:
    """What Cassandra has."""

    def __init__(self, kept: Sequence[Chunk]) -> None:
        self.kept = list(kept)
        self.scans = 0
        self.away = False

    def heads(self) -> dict[int, list[ChunkHead]]:
        if self.away:
            raise StoreUnavailable("away")
        self.scans += 1
        return {3: [head(each) for each in self.kept]} if self.kept else {}

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        return [each for each in self.kept if each.chunk_id in ids]

    def close(self) -> None:
        pass


def head(of: Chunk) -> ChunkHead:
    return ChunkHead(*of[:-1])


ALL = [made(0, 4), made(5, 9), made(10, 19), made(20, 29)]


def test_what_is_in_memory_needs_no_look_at_the_disk() -> None:
    disk = Disk(())
    archive = TieredChunks(Memory(ALL), disk)
    assert archive.following(3, 0, 9) == ALL
    assert archive.following(3, 10, 9) == ALL[2:]
    assert archive.holding(3, 7) == ALL[1]
    assert disk.scans == 0


def test_what_left_memory_comes_from_the_disk_in_its_place() -> None:
    disk = Disk(ALL[:3])
    archive = TieredChunks(Memory(ALL[2:]), disk)
    assert archive.partitions() == [3]
    assert [each.chunk_id for each in archive.heads(3)] == [each.chunk_id for each in ALL]
    assert archive.following(3, 0, 9) == ALL
    assert archive.following(3, 5, 2) == ALL[1:3]
    assert archive.holding(3, 7) == ALL[1]
    assert archive.following(3, 30, 9) == []
    assert disk.scans == 1


def test_what_left_memory_since_the_last_look_is_found_after_a_while() -> None:
    now = 0.0
    disk = Disk(ALL[:1])
    memory = Memory(ALL[1:])
    archive = TieredChunks(memory, disk, cache_s=10, now=lambda: now)
    assert archive.following(3, 0, 1) == ALL[:1]
    disk.kept, memory.there = ALL[:2], ALL[2:]
    assert archive.following(3, 5, 1) == ALL[2:3]  # a gap, for whoever follows
    now = 10.0
    assert archive.following(3, 5, 1) == ALL[1:2]
    disk.kept, memory.there = ALL[:3], ALL[3:]
    archive.refresh()
    assert archive.following(3, 10, 1) == ALL[2:3]


def test_without_the_disk_only_what_is_in_memory_can_be_had() -> None:
    disk = Disk(ALL)
    disk.away = True
    archive = TieredChunks(Memory(ALL[1:]), disk)
    assert archive.following(3, 5, 9) == ALL[1:]
    assert archive.following(3, 30, 9) == []  # nothing new, as far as anybody knows
    assert archive.partitions() == [3]
    with pytest.raises(StoreUnavailable):
        archive.following(3, 0, 9)  # it would be wrong to begin in the midst
    with pytest.raises(StoreUnavailable):
        archive.heads(3)
