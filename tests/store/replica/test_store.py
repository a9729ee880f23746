"""A replica: the same answers from shared chunks as from the fold itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.store.rows import NOON, hit

from analytics.errors import StoreUnavailable
from analytics.event import LogRecord
from analytics.job import sealing
from analytics.job.folding import Raw, fold_batch
from analytics.job.memory import PartitionMemory
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import State
from analytics.query import Metric, Period, Query
from analytics.store.chunk import Chunk
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.store import ReplicaStore
from analytics.stream.record import encode
from analytics.stream.sharding import partition_of

PARTITIONS = 4
SOURCES = Sources()
LATER = traffic.UNTIL + 3 * traffic.DAY


class Shared:
    """Chunks in this process, shared as Ignite would."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[Chunk]] = {}
        self.away = False

    def put(self, chunks: Sequence[Chunk]) -> None:
        for each in chunks:
            self.chunks.setdefault(each.partition, []).append(each)

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        if self.away:
            raise StoreUnavailable("away")
        found = [e for e in self.chunks.get(partition, ()) if e.first_offset >= offset]
        return sorted(found, key=lambda each: each.first_offset)[:limit]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        for each in self.chunks.get(partition, ()):
            if each.first_offset < offset <= each.last_offset:
                return each
        return None

    def partitions(self) -> Sequence[int]:
        return sorted(self.chunks)

    def close(self) -> None:
        pass


class Clock:
    now = LATER

    def __call__(self) -> int:
        return self.now


class Cluster:
    """The job, without Spark."""

    def __init__(self, folder: Path, shared: Shared) -> None:
        self.shared = shared
        self.memories = [PartitionMemory(folder / f"{n}.sqlite") for n in range(PARTITIONS)]
        self.ends = dict.fromkeys(range(PARTITIONS), 0)

    def take(self, records: Sequence[LogRecord], at_once: int = 500) -> None:
        lanes: list[list[Raw]] = [[] for _ in self.memories]
        for record in records:
            lane = partition_of(record, PARTITIONS)
            lanes[lane].append(Raw(self.ends[lane], record.received_at, encode(record)))
            self.ends[lane] += 1
        for partition, (lane_, memory) in enumerate(zip(lanes, self.memories, strict=True)):
            for start in range(0, len(lane_), at_once):
                fold_batch(memory, partition, lane_[start : start + at_once], SOURCES)
            chunks = memory.unsent(1 << 20)
            memory.sent([each.chunk_id for each in chunks], 1)
            self.shared.put(chunks)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def cluster(tmp_path: Path, shared: Shared) -> Cluster:
    return Cluster(tmp_path, shared)


@pytest.fixture
async def replica(tmp_path: Path, shared: Shared, clock: Clock) -> AsyncIterator[ReplicaStore]:
    async with replica_in(tmp_path / "replica", shared, clock) as replica:
        yield replica


def replica_in(folder: Path, shared: Shared, clock: Clock) -> ReplicaStore:
    folder.mkdir(exist_ok=True)
    engine = DuckDBStore(
        folder / "store.duckdb", timezones=lambda: traffic.SITES, rebuild_at_most_every_ms=0
    )
    return ReplicaStore(shared, engine, folder / "incoming", partitions=PARTITIONS, clock=clock)


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(
        tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES, rebuild_at_most_every_ms=0
    ) as store:
        yield store


async def fold_into(store: DuckDBStore, records: Sequence[LogRecord]) -> None:
    outcome = fold(list(enumerate(records)), State(SOURCES, keep_ms=1 << 50), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(records)))


async def test_a_replica_answers_as_the_embedded_store_does(
    replica: ReplicaStore, embedded: DuckDBStore, cluster: Cluster
) -> None:
    records = traffic.records(3000)
    await fold_into(embedded, records)
    cluster.take(records)
    await replica.follower.reached(cluster.ends)
    assert await replica.ledger() == await embedded.ledger()
    assert await replica.recount() == await embedded.recount()
    figures, found = await differences(embedded, replica, "b.example", every=53)
    assert (found[:1], figures > 100) == ([], True)
    assert await replica.build_cells(LATER) == len(traffic.SITES)
    figures, found = await differences(embedded, replica, "b.example", every=53)
    assert found[:1] == []


async def test_a_replica_goes_on_where_it_stopped(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    for number in (1, 2):
        cluster.take([hit(NOON + number, visitor=number)])
        async with replica_in(tmp_path / "r", shared, clock) as replica:
            await replica.follower.reached(cluster.ends)
            ledger = await replica.ledger()
            assert sum(line.stored for line in ledger.values()) == number


async def test_a_gap_is_waited_for(
    replica: ReplicaStore, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    cluster.take([hit(NOON)])
    await replica.follower.reached(cluster.ends)
    while not replica.follower.complete_at:
        await asyncio.sleep(0.01)
    at = max(cluster.ends, key=cluster.ends.__getitem__)
    cluster.take([hit(NOON + 1)])
    (missing,) = [each for each in shared.chunks[at] if each.first_offset == 1]
    shared.chunks[at].remove(missing)
    cluster.take([hit(NOON + 2)])
    while replica.follower.fault is None:
        await asyncio.sleep(0.01)
    assert "records 1 to 1" in replica.follower.fault
    clock.now += 60_000
    asked = Query(
        site=hit(NOON).site,
        metrics=(Metric.EVENTS,),
        period=Period(NOON, NOON + 10, "Etc/UTC"),
    )
    assert (await replica.query(asked)).as_of == LATER
    shared.put([missing])
    await replica.follower.reached(cluster.ends)
    answer = await replica.query(asked)
    assert answer.rows[0].metrics == (3,)


async def test_parts_and_what_they_were_merged_to_count_once(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    """Whether a reader stands before the merged chunk, or in the midst of it."""
    records = [hit(NOON + number, visitor=number % 5) for number in range(200)]
    cluster.take(records[:100], at_once=3)
    async with replica_in(tmp_path / "behind", shared, clock) as behind:
        await behind.follower.reached(cluster.ends)
    cluster.take(records[100:], at_once=3)
    fresh = {partition: list(chunks) for partition, chunks in shared.chunks.items()}
    for removed in (False, True):
        for partition, chunks in fresh.items():
            merged = sealing.merge(chunks)
            assert sealing.obsolete([*merged, *chunks]) == {
                each.chunk_id: merged[0].chunk_id for each in chunks
            }
            shared.chunks[partition] = merged if removed else [*merged, *chunks]
        for name in ("behind", f"new-{removed}"):
            async with replica_in(tmp_path / name, shared, clock) as replica:
                await replica.follower.reached(cluster.ends)
                ledger = await replica.ledger()
                counted = await replica.recount()
            assert sum(line.received for line in ledger.values()) == 200
            assert sum(counted.values()) == 200


async def test_without_the_shared_chunks_it_answers_from_its_own_and_says_so(
    replica: ReplicaStore, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    cluster.take([hit(NOON)])
    await replica.follower.reached(cluster.ends)
    while not replica.follower.complete_at:
        await asyncio.sleep(0.01)
    shared.away = True
    while replica.follower.fault is None:
        await asyncio.sleep(0.01)
    clock.now += 60_000
    asked = Query(
        site=hit(NOON).site,
        metrics=(Metric.VISITORS,),
        period=Period(NOON, NOON + 10, "Etc/UTC"),
    )
    answer = await replica.query(asked)
    assert (answer.rows[0].metrics, answer.as_of) == ((1,), LATER)
