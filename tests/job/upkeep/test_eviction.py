"""Which chunks leave a memory that fills up, and who is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from analytics.errors import StoreUnavailable
from analytics.job.upkeep.eviction import MemoryEviction
from analytics.store.chunks.chunk import ChunkHead, ChunkKind
from analytics.store.ignite.memory import Admission, MemoryUse

MIB = 1 << 20
HOUR = 3_600_000
LIMIT = 100 * MIB


class Node:
    """A node's memory of a hundred MiB, in which each chunk takes one."""

    def __init__(self, *heads: ChunkHead) -> None:
        self.there = {each.chunk_id: each for each in heads}
        self.looks = 0

    def use(self) -> MemoryUse:
        self.looks += 1
        return MemoryUse(len(self.there) * MIB, LIMIT)

    def partitions(self) -> Sequence[int]:
        return sorted({each.partition for each in self.there.values()})

    def heads(self, partition: int) -> Sequence[ChunkHead]:
        heads = [each for each in self.there.values() if each.partition == partition]
        return sorted(heads, key=lambda each: each.first_offset)

    def evict(self, ids: Sequence[str]) -> None:
        for each in ids:
            del self.there[each]


class Disk:
    """Has all but what it *lacks*."""

    def __init__(self, *lacks: str) -> None:
        self.lacks = lacks

    def rows(self, ids: Sequence[str]) -> Mapping[str, int]:
        return {each: 1 for each in ids if each not in self.lacks}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def head(partition: int, number: int, kind: ChunkKind = ChunkKind.SEALED) -> ChunkHead:
    name = f"{kind.value}-{partition}-{number}"
    return ChunkHead(name, kind, "", number * HOUR, partition, number * 10, number * 10 + 9, 10, 1)


def nothing() -> set[str]:
    return set()


def test_while_there_is_room_everything_stays_and_nobody_is_told() -> None:
    node = Node(*(head(0, number) for number in range(74)))
    headroom = MemoryEviction(node, node, Disk(), Clock())
    assert headroom.keep(nothing) == 0
    assert (len(node.there), headroom.fault) == (74, None)


def test_the_oldest_of_all_partitions_leave_a_crowded_memory() -> None:
    node = Node(*(head(partition, number) for number in range(45) for partition in (0, 1)))
    headroom = MemoryEviction(node, node, Disk(), Clock())
    assert headroom.keep(nothing) == 32
    assert {each.hour for each in node.there.values()} == {n * HOUR for n in range(16, 45)}
    assert headroom.use.share == 0.58


def test_what_only_memory_has_or_somebody_needs_stays() -> None:
    node = Node(*(head(0, number) for number in range(90)))
    headroom = MemoryEviction(node, node, Disk("sealed-0-1"), Clock())
    headroom.keep(lambda: {"sealed-0-0"})
    assert {"sealed-0-0", "sealed-0-1"} <= node.there.keys()
    assert "sealed-0-2" not in node.there


def test_the_newest_of_a_partition_stays_however_crowded_it_is() -> None:
    node = Node(*(head(partition, 1) for partition in range(95)), head(95, 0), head(95, 1))
    headroom = MemoryEviction(node, node, Disk(), Clock())
    assert headroom.keep(nothing) == 1
    assert len(node.there) == 96
    assert headroom.fault is not None
    assert "96% full (96 of 100 MiB)" in headroom.fault


def test_small_chunks_that_are_still_to_be_merged_leave_last() -> None:
    fresh = [head(0, number, ChunkKind.FRESH) for number in range(40)]
    node = Node(*fresh, *(head(1, number) for number in range(50, 100)))
    MemoryEviction(node, node, Disk(), Clock()).keep(nothing)
    assert {each.chunk_id for each in fresh} <= node.there.keys()


def test_that_chunks_left_early_is_told_for_an_hour() -> None:
    node, clock = Node(*(head(0, number) for number in range(80))), Clock()
    headroom = MemoryEviction(node, node, Disk(), clock)
    headroom.keep(nothing)
    assert headroom.fault is not None
    assert "cluster.ignite_memory" in headroom.fault
    clock.now = 3601
    headroom.keep(nothing)
    assert headroom.fault is None


def test_a_writer_looks_before_it_writes_and_again_when_it_has_written_much() -> None:
    node = Node(*(head(0, number) for number in range(80)))
    admission = Admission(node)
    for _ in range(10):
        admission.check()
        admission.wrote(1000)
    assert node.looks == 1
    node.there |= {each.chunk_id: each for each in (head(1, number) for number in range(5))}
    admission.wrote(LIMIT // 256)
    with pytest.raises(StoreUnavailable, match=r"85% full \(85 of 100 MiB\)"):
        admission.check()
    node.evict(["sealed-1-0"])
    admission.check()


def test_a_node_that_tells_no_limit_is_taken_for_one_with_room() -> None:
    class Silent:
        def use(self) -> MemoryUse:
            return MemoryUse(0, 0)

    Admission(Silent()).check()
