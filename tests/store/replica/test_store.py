"""A replica: the same answers from shared chunks as from the fold itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.store.job import SOURCES, Job
from tests.store.rows import DAY, HOUR

from analytics.errors import StoreUnavailable
from analytics.event import Erasure, Hit, LogRecord, Row
from analytics.exploration import ExplorationResult
from analytics.job.upkeep import compaction
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import LedgerKey, LedgerLine, WriteBatch
from analytics.pipeline.state import PipelineState
from analytics.query import Metric, Period, Query, Result
from analytics.sharding import partition_of
from analytics.store.chunks import arrow, codec
from analytics.store.chunks.chunk import Chunk
from analytics.store.chunks.chunk_erasure import rewritten
from analytics.store.duckdb import DuckDBStore
from analytics.store.freshness import Ends
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.replica.remote_query_client import RemoteQueries
from analytics.store.replica.store import ReplicaStore
from analytics.testing.builders import NOON, hit

PARTITIONS = 4
LATER = traffic.UNTIL + 3 * traffic.DAY


class Shared:
    """Chunks in this process, shared as Ignite would."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[Chunk]] = {}
        self.away = False
        self.lost: set[int] = set()
        """Partitions of which nothing can be had."""

    def put(self, chunks: Sequence[Chunk]) -> None:
        for each in chunks:
            self.chunks.setdefault(each.partition, []).append(each)

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        if self.away or partition in self.lost:
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


class Cluster(Job):
    """The job, with what the outbox relay does to its chunks."""

    def __init__(self, folder: Path, shared: Shared) -> None:
        super().__init__(folder, shared, partitions=PARTITIONS, now=LATER)
        self.shared = shared

    def rewrite(self) -> None:
        """As the outbox relay does in the end."""
        for partition, memory in enumerate(self.memories):
            orders = memory.erasures.all()
            chunks = self.shared.chunks.get(partition, [])
            self.shared.chunks[partition] = [rewritten(each, orders) or each for each in chunks]


class Orders:
    """The cluster's log, for orders."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self.held_up = 0
        """How many appends take longer than they may."""

    async def partitions(self) -> Sequence[int]:
        return range(PARTITIONS)

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        self._cluster.take(orders)
        if self.held_up:
            self.held_up -= 1
            self._clock.now += 10_000
        return dict(self._cluster.ends)


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


class Nobody:
    """A history that is away."""

    async def ask(self, asked: RemoteQuery) -> Result:
        raise StoreUnavailable("nobody answers")

    async def explore(self, asked: RemoteQuery) -> ExplorationResult:
        raise StoreUnavailable("nobody answers")

    async def close(self) -> None:
        pass


def replica_in(
    folder: Path,
    shared: Shared,
    clock: Clock,
    orders: Orders | None = None,
    *,
    history: RemoteQueries | None = None,
    hot_days: int = 0,
    ends: Ends | None = None,
) -> ReplicaStore:
    folder.mkdir(exist_ok=True)
    engine = DuckDBStore(
        folder / "store.duckdb",
        timezones=lambda: traffic.SITES,
        rebuild_at_most_every_ms=0,
        hot_days=hot_days,
    )
    return ReplicaStore(
        shared,
        engine,
        folder / "incoming",
        partitions=PARTITIONS,
        clock=clock,
        history=history or Nobody(),
        orders=orders,
        ends=ends,
    )


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(
        tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES, rebuild_at_most_every_ms=0
    ) as store:
        yield store


async def fold_into(store: DuckDBStore, records: Sequence[LogRecord]) -> None:
    outcome = fold(list(enumerate(records)), PipelineState(SOURCES, keep_ms=1 << 50), set())
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
            merged = compaction.merge(chunks)
            assert compaction.obsolete([*merged, *chunks]) == {
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


async def test_figures_that_lack_what_the_log_has_say_so_though_nobody_is_away(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    asked = Query(
        site=hit(NOON).site,
        metrics=(Metric.VISITORS,),
        period=Period(NOON, NOON + 10, "Etc/UTC"),
    )
    log: dict[int, int] = {}

    async def ends() -> Mapping[int, int]:
        return dict(log)

    async with replica_in(tmp_path / "replica", shared, clock, ends=ends) as replica:
        assert replica._freshness is not None
        cluster.take([hit(NOON)])
        log |= cluster.ends
        await replica.follower.reached(cluster.ends)
        await replica._freshness.look()
        assert (await replica.query(asked)).as_of is None
        log = {partition: end + 1 for partition, end in cluster.ends.items()}
        clock.now += 60_000
        await replica._freshness.look()
        assert replica.follower.fault is None
        answer = await replica.query(asked)
        assert (answer.rows[0].metrics, answer.as_of) == ((1,), LATER)
        log = cluster.ends
        await replica._freshness.look()
        assert (await replica.query(asked)).as_of is None


async def test_a_replica_that_was_never_complete_is_as_old_as_its_newest_row(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    newest = hit(NOON)
    cluster.take([newest])
    async with replica_in(tmp_path / "replica", shared, clock) as replica:
        await replica.follower.reached(cluster.ends)
    shared.away = True
    async with replica_in(tmp_path / "replica", shared, clock) as replica:
        while replica.follower.fault is None:
            await asyncio.sleep(0.01)
        asked = Query(
            site=newest.site,
            metrics=(Metric.VISITORS,),
            period=Period(NOON, NOON + 10, "Etc/UTC"),
        )
        assert (await replica.query(asked)).as_of == newest.received_at


async def test_a_partition_that_cannot_be_had_holds_up_no_other(
    replica: ReplicaStore, shared: Shared, cluster: Cluster
) -> None:
    records = [hit(NOON + number, visitor=number) for number in range(40)]
    shared.lost = {partition_of(records[0], PARTITIONS)}
    (lost,) = shared.lost
    cluster.take(records)
    ends = {partition: end for partition, end in cluster.ends.items() if partition != lost}
    assert any(ends.values())
    await replica.follower.reached(ends)
    while replica.follower.fault is None:
        await asyncio.sleep(0.01)
    assert replica.follower.complete_at == 0
    assert (await replica.offsets()).get(lost, 0) == 0
    shared.lost = set()
    await replica.follower.reached(cluster.ends)


def without(records: Sequence[LogRecord], site: str, visitor: int | None = None) -> list[LogRecord]:
    """What a store has that was never sent them."""
    return [
        record
        for record in records
        if type(record) is not Hit
        or record.site != site
        or (visitor is not None and record.visitor != visitor)
    ]


async def state(
    store: DuckDBStore | ReplicaStore,
) -> tuple[Mapping[LedgerKey, LedgerLine], Mapping[LedgerKey, int]]:
    """Its ledger, which must balance, and its rows."""
    ledger, rows = await store.ledger(), await store.recount()
    assert {k: n for k, line in ledger.items() if (n := line.stored - line.erased)} == rows
    return ledger, rows


@pytest.mark.parametrize("whole_site", [False, True], ids=["a visitor", "a site"])
async def test_replicas_of_all_ages_agree_on_what_was_erased(
    tmp_path: Path,
    shared: Shared,
    cluster: Cluster,
    clock: Clock,
    embedded: DuckDBStore,
    whole_site: bool,
) -> None:
    """The one that was asked, one beside it, and new ones, before and after the rewriting."""
    records = traffic.records(2000)
    site = "b.example"
    visitor = next(each.visitor for each in records if type(each) is Hit and each.site == site)
    orders = Orders(cluster, clock)
    cluster.take(records, at_once=50)
    async with (
        replica_in(tmp_path / "asked", shared, clock, orders) as asked,
        replica_in(tmp_path / "beside", shared, clock) as beside,
    ):
        for replica in (asked, beside):
            await replica.follower.reached(cluster.ends)
        await asked.build_cells(LATER)
        before = (await asked.recount(site)).values()
        if whole_site:
            assert await asked.delete_site(site) == sum(before)
            assert await asked.delete_site(site) == 0
        else:
            assert 0 < await asked.erase_visitor(site, visitor) < sum(before)
            assert await asked.erase_visitor(site, visitor) == 0
        await beside.follower.reached(cluster.ends)
        await fold_into(embedded, without(records, site, None if whole_site else visitor))
        wanted = (await state(embedded))[1]
        found = await state(asked)
        assert found[1] == wanted
        assert await state(beside) == found
        _, differing = await differences(embedded, asked, site, every=197)
        assert differing == []
        await asked.build_cells(LATER)
        _, differing = await differences(embedded, asked, site, every=197)
        assert differing == []
    for name in ("new", "newer"):
        async with replica_in(tmp_path / name, shared, clock) as new:
            await new.follower.reached(cluster.ends)
            assert await state(new) == found
            _, differing = await differences(embedded, new, site, every=197)
            assert differing == []
        cluster.rewrite()
    assert sum(len(to_rows(each)) for each in all_chunks(shared)) == sum(wanted.values())


def all_chunks(shared: Shared) -> list[Chunk]:
    return [each for chunks in shared.chunks.values() for each in chunks]


def to_rows(one: Chunk) -> list[Row]:
    return arrow.to_rows(codec.read(one.chunk_id, one.payload).table)


async def test_a_visitor_who_was_erased_may_come_again_and_his_old_hits_may_not(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    gone = [hit(LATER + n, visitor=7, path=f"/{n}") for n in range(3)]
    held_up = hit(LATER + 500, visitor=7)
    async with replica_in(tmp_path / "r", shared, clock, Orders(cluster, clock)) as replica:
        cluster.take(gone)
        await replica.follower.reached(cluster.ends)
        assert await replica.erase_visitor(gone[0].site, 7) == 3
        cluster.take([*gone, held_up])  # sent again, and out of another replica's spool
        later = hit(LATER + 60_000, visitor=7, path="/again")
        cluster.take([later])
        await replica.follower.reached(cluster.ends)
        (key,) = [key for key in await replica.ledger() if key.site]
        line = (await replica.ledger())[key]
        assert (line.stored, line.erased, line.duplicate) == (5, 4, 3)
        asked = Query(
            site=later.site,
            metrics=(Metric.VISITS, Metric.PAGEVIEWS, Metric.BOUNCE_RATE),
            period=Period(LATER - DAY, LATER + DAY, "Etc/UTC"),
        )
        assert (await replica.query(asked)).rows[0].metrics == (1, 1, 100)


async def test_an_order_that_came_late_into_the_log_is_given_again(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    """Else it would lie behind hits that it leaves, and cut their visit in two."""
    orders = Orders(cluster, clock)
    async with replica_in(tmp_path / "r", shared, clock, orders) as replica:
        cluster.take([hit(LATER)])
        await replica.follower.reached(cluster.ends)
        orders.held_up = 1
        assert await replica.erase_visitor(hit(0).site, 1) == 1
        assert sum(line.received for line in (await replica.ledger()).values()) == 3
        orders.held_up = 100
        with pytest.raises(StoreUnavailable, match="Kafka is too slow"):
            await replica.erase_visitor(hit(0).site, 1)


async def test_rows_from_the_future_are_refused_and_say_why(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock
) -> None:
    async with replica_in(tmp_path / "r", shared, clock, Orders(cluster, clock)) as replica:
        cluster.take([hit(LATER + HOUR)])
        await replica.follower.reached(cluster.ends)
        with pytest.raises(StoreUnavailable, match="clock of a replica is wrong"):
            await replica.erase_visitor(hit(0).site, 1)


async def test_retention_reaches_the_chunks_and_every_replica(
    tmp_path: Path, shared: Shared, cluster: Cluster, clock: Clock, embedded: DuckDBStore
) -> None:
    records = traffic.records(2000)
    site = "b.example"
    before = traffic.UNTIL - 3 * DAY
    await fold_into(embedded, records)
    cluster.take(records, at_once=50)
    orders = Orders(cluster, clock)
    async with (
        replica_in(tmp_path / "one", shared, clock, orders) as one,
        replica_in(tmp_path / "other", shared, clock, orders) as other,
    ):
        for replica in (one, other):
            await replica.follower.reached(cluster.ends)
        for _ in range(3):  # as maintenance does, again and again
            assert await one.retain(site, before) == 0
        for replica in (one, other):
            await replica.follower.reached(cluster.ends)
        ends = dict(cluster.ends)
        await other.retain(site, before)
        assert cluster.ends == ends, "once is enough, whoever asked"
        assert await embedded.retain(site, before) > 0
        _, wanted = await state(embedded)
        found = await state(one)
        assert found[1] == wanted
        assert await state(other) == found
        _, differing = await differences(embedded, other, site, every=197)
        assert differing == []
    cluster.rewrite()
    async with replica_in(tmp_path / "new", shared, clock) as new:
        await new.follower.reached(cluster.ends)
        assert await state(new) == found
        _, differing = await differences(embedded, new, site, every=197)
        assert differing == []
    assert sum(len(to_rows(each)) for each in all_chunks(shared)) == sum(wanted.values())
