"""The outbox relay's work is right though Ignite dies in the midst of it, and comes back empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.real import PATIENCE_S, kill

from analytics.errors import StoreUnavailable
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep.audit import OffsetRange, uncovered
from analytics.job.upkeep.outbox_relay import OutboxRelay
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.settings import Settings
from analytics.store.chunks import chunk, codec
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import Chunk, ChunkHead
from analytics.store.chunks.ignite import IgniteChunks

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

PARTITION = 7_001
"""One that no other test uses."""
CHUNKS = 20


class World:
    """An outbox relay, the memory whose outbox it sees to, and what lies where."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.memories = StateDirectory(folder)
        with self.memories.open(PARTITION) as memory, memory.transaction():
            memory.put_out([made(number) for number in range(CHUNKS)])
        self.relay = OutboxRelay(self.memories, settings.ignite, settings.cassandra)
        self.relay._seal_at = float("inf")  # when we say so, and not before
        self.shared = IgniteChunks(settings.ignite)
        self.kept = CassandraChunks(settings.cassandra)

    def seal(self) -> None:
        self.relay.seal(time.time_ns() // 1_000_000)

    @property
    def in_ignite(self) -> list[ChunkHead]:
        return self.shared.heads(PARTITION)

    @property
    def in_cassandra(self) -> list[ChunkHead]:
        return self.kept.heads().get(PARTITION, [])

    @property
    def outbox(self) -> set[str]:
        with self.memories.open(PARTITION) as memory:
            return memory.unconfirmed()


@pytest.fixture
def world(tmp_path: Path, ignite: Settings) -> Iterator[World]:
    world = World(tmp_path, ignite)
    try:
        yield world
    finally:
        for each in (world.relay, world.shared, world.kept):
            each.close()


def made(number: int) -> Chunk:
    """A chunk of ten records, of long ago."""
    first, last = 10 * number, 10 * number + 9
    ledger = {LedgerKey("a.example", 3_600_000): LedgerLine(10, 0, 0, {"bot": 10}, 0)}
    (one,) = codec.pack(PARTITION, [chunk.RecordSpan(first, last, ledger)], [], [])
    return one


def until(condition: Callable[[], bool], step: Callable[[], None] = lambda: None) -> None:
    """Take steps, however much of it fails meanwhile, until *condition* is met."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            step()
            if condition():
                return
        except* StoreUnavailable as group:  # of one duty, or of several
            print(group.exceptions)
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


def faults(heads: list[ChunkHead]) -> list[str]:
    """What an audit would say of these chunks."""
    spans = [OffsetRange(each.first_offset, each.last_offset, each.chunk_id) for each in heads]
    return [*uncovered(spans, 0, 10 * CHUNKS)]


async def test_no_record_is_lost_or_doubled_by_a_seal_in_whose_midst_ignite_dies(
    world: World, machine: LocalCluster
) -> None:
    until(lambda: not world.outbox, world.relay.step)
    # What Ignite was to write behind is gone with it: the parts are there again, and merged again.
    kill(machine, "cassandra")
    world.seal()
    assert len(world.in_ignite) == CHUNKS + 1
    kill(machine, "ignite-1")
    await machine.up(only=["cassandra", "ignite"])
    until(lambda: len(world.in_ignite) == CHUNKS, world.relay.step)
    assert len(world.in_cassandra) == CHUNKS
    world.seal()
    until(lambda: len(world.in_cassandra) == CHUNKS + 1)
    # The parts are let go; of that, Cassandra may hear or not.
    world.seal()
    assert len(world.in_ignite) == 1
    kill(machine, "ignite-1")
    await machine.up(only=["ignite"])
    until(lambda: faults(world.in_ignite) == [], world.relay.step)
    assert faults(world.in_cassandra) == []
    until(lambda: len(world.in_cassandra) == 1, world.seal)
    assert [each.first_offset for each in world.in_ignite] == [0]
    assert (faults(world.in_ignite), faults(world.in_cassandra)) == ([], [])


async def test_what_a_dead_node_had_still_to_write_is_sent_again_at_once(
    world: World, machine: LocalCluster
) -> None:
    until(lambda: bool(world.in_ignite), world.relay.step)
    kill(machine, "cassandra")
    kill(machine, "ignite-1")
    await machine.up(only=["cassandra", "ignite"])
    until(lambda: faults(world.in_ignite) == [], world.relay.step)
    until(lambda: not world.outbox, world.relay.step)
    assert faults(world.in_cassandra) == []


async def test_what_ignite_lost_again_while_it_was_fetched_is_fetched_again(world: World) -> None:
    """As it happens to what is fetched while a node joins: no node leaves after that."""
    until(lambda: not world.outbox, world.relay.step)
    ids = [each.chunk_id for each in world.in_ignite]
    assert world.relay.recall() == 0
    world.shared.evict(ids[:4])
    world.relay._recall_at = 0.0
    world.relay.step()
    assert len(world.in_ignite) == len(ids)
    world.shared.evict(ids[2:4])
    assert len(world.in_ignite) == len(ids) - 2
    until(lambda: len(world.in_ignite) == len(ids), world.relay.step)
