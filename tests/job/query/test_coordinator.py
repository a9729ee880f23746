"""Questions answered from chunks, partition by partition, as from all rows in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.store.replica.world import PARTITIONS, Cluster, Shared, fold_into

from analytics.errors import StoreUnavailable
from analytics.event import Erasure, Hit
from analytics.exploration import ExplorationResult
from analytics.job.query.coordinator import QueryCoordinator, TaskContext
from analytics.job.query.task import QueryTask, TaskResult, execute_from
from analytics.job.upkeep import compaction
from analytics.query import (
    Compare,
    CurrencyRates,
    DailyRates,
    Dimension,
    HasDone,
    Metric,
    NamedFilter,
    Op,
    Period,
    Query,
    Result,
)
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.sharding import shard_of
from analytics.store.chunks.chunk import Chunk, ChunkHead
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.remote_query import (
    RemoteQuery,
    encode,
    exploration_result,
    question,
    result,
)
from analytics.testing.builders import NOON, hit
from analytics.testing.oracles import answers

DAY = traffic.DAY


class Index:
    """All chunks that are shared, and where they are read."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.refreshes = 0
        self.read_ids: list[str] = []

    def heads(self, partition: int) -> list[ChunkHead]:
        chunks = sorted(
            self.shared.chunks[partition], key=lambda e: (e.first_offset, -e.last_offset)
        )
        return [ChunkHead(*each[:-1]) for each in chunks]

    def refresh(self) -> None:
        self.refreshes += 1

    def read(self, ids: Sequence[str]) -> list[Chunk]:
        self.read_ids += ids
        known = {e.chunk_id: e for chunks in self.shared.chunks.values() for e in chunks}
        return [known[each] for each in ids if each in known]

    def spread(self, shares: Sequence[QueryTask]) -> list[TaskResult]:
        return [execute_from(each, self) for each in shares]


class History:
    """A store that answers every query as a question that has travelled."""

    def __init__(self, asking: QueryCoordinator, ends: dict[int, int], kept_since: int = 0) -> None:
        self._asking = asking
        self._ends = ends
        self._kept_since = kept_since
        self.asked = 0

    async def query(self, query: Query) -> Result:
        asked = RemoteQuery(query=query, ends=self._ends, kept_since=self._kept_since)
        return await self.ask(asked)

    async def close(self) -> None:
        pass

    async def ask(self, asked: RemoteQuery) -> Result:
        self.asked += 1
        return result(encode(self._asking.answer(question(encode(asked)))))

    async def explore(self, asked: RemoteQuery) -> ExplorationResult:
        self.asked += 1
        return exploration_result(encode(self._asking.answer(question(encode(asked)))))


def none(partition: int, site: str) -> Sequence[Erasure]:
    """No orders to erase."""
    return ()


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, Shared())


@pytest.fixture
def index(cluster: Cluster) -> Index:
    return Index(cluster.shared)


@pytest.fixture
def asking(index: Index) -> QueryCoordinator:
    return QueryCoordinator(
        index, none, index.spread, TaskContext(IgniteSettings(), CassandraSettings(), 256)
    )


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore(tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES)
    async with store:
        yield store


async def test_every_answer_is_that_of_one_store(
    cluster: Cluster, asking: QueryCoordinator, embedded: DuckDBStore
) -> None:
    records = traffic.records(2000)
    await fold_into(embedded, records)
    cluster.take(records, at_once=60)
    history = History(asking, cluster.ends)
    figures, found = await differences(embedded, history, "b.example", every=211)
    assert (found[:1], figures > 100) == ([], True)


async def test_days_that_are_known_not_to_be_in_a_chunk_are_not_looked_for_there(
    cluster: Cluster, asking: QueryCoordinator, index: Index, embedded: DuckDBStore
) -> None:
    records = traffic.records(1500)
    await fold_into(embedded, records)
    cluster.take(records, at_once=20)
    history = History(asking, cluster.ends)
    day = Query(
        site="a.example",
        metrics=(Metric.VISITORS, Metric.VISITS, Metric.BOUNCE_RATE),
        period=Period(traffic.UNTIL - 4 * DAY, traffic.UNTIL - 3 * DAY, "Etc/UTC"),
        dimensions=(Dimension.EXIT_PAGE,),
    )
    signup = Compare(Op.IS, Dimension.NAME, ("signup",))
    for query in (
        day,
        structs.replace(day, dimensions=()),
        structs.replace(day, dimensions=(Dimension.HOUR,), filters=(HasDone(signup),)),
    ):
        index.read_ids.clear()
        assert await history.query(query) == await embedded.query(query)
        read = len(index.read_ids)
        if query is day:
            assert read == sum(len(chunks) for chunks in cluster.shared.chunks.values())
        else:
            assert 0 < read < sum(len(chunks) for chunks in cluster.shared.chunks.values()) / 2


async def test_chunks_that_were_merged_away_are_forgotten(
    cluster: Cluster, asking: QueryCoordinator, embedded: DuckDBStore
) -> None:
    records = traffic.records(400)
    await fold_into(embedded, records)
    cluster.take(records, at_once=20)
    history = History(asking, cluster.ends)
    query = Query(
        site="a.example",
        metrics=(Metric.VISITORS,),
        period=Period(0, traffic.UNTIL, "Etc/UTC"),
    )
    answer = await history.query(query)
    for _ in range(2):
        there = {each.chunk_id for chunks in cluster.shared.chunks.values() for each in chunks}
        assert await history.query(query) == answer
        assert {*asking._known} <= there
        assert len(asking._known) > 0
        for partition, chunks in cluster.shared.chunks.items():
            cluster.shared.chunks[partition] = [*compaction.merge(chunks)]


async def test_the_rates_by_which_revenue_is_summed_travel_with_the_question(
    cluster: Cluster, asking: QueryCoordinator, embedded: DuckDBStore
) -> None:
    amounts = (("10.99", "USD"), ("-0.01", "USD"), ("7", "EUR"), ("0.333", "GBP"))
    hits = [
        hit(NOON - number * DAY, visitor=number, name="buy", revenue=amount, currency=currency)
        for number, (amount, currency) in enumerate(amounts * 5)
    ]
    await fold_into(embedded, hits)
    cluster.take(hits, at_once=3)
    history = History(asking, cluster.ends)
    days = tuple(range(NOON // DAY - 30, NOON // DAY + 1))
    rates = DailyRates(
        days,
        (
            CurrencyRates("EUR", ("1",) * len(days)),
            CurrencyRates("USD", tuple(f"1.{day % 1000}" for day in days)),
        ),
    )
    bought = Compare(Op.IS, Dimension.NAME, ("buy",))
    query = Query(
        site=hits[0].site,
        metrics=(Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE),
        period=Period(NOON - 30 * DAY, NOON + DAY, "Etc/UTC"),
        currency="EUR",
        rates=rates,
        goals=(NamedFilter("USD", bought, "USD"), NamedFilter("EUR", bought, "EUR")),
    )
    for dimensions, mixed in (
        ((), True),
        ((Dimension.CURRENCY,), False),
        ((Dimension.DAY,), False),
        ((Dimension.GOAL, Dimension.CURRENCY), False),
    ):
        asked = structs.replace(query, dimensions=dimensions)
        answer = await history.query(asked)
        assert answer == await embedded.query(asked)
        assert answer.mixed_revenue is mixed
        assert answer.rows == answers.answer(hits, asked)


async def test_only_records_before_the_ends_count(
    cluster: Cluster, asking: QueryCoordinator
) -> None:
    cluster.take([hit(NOON, visitor=number) for number in range(20)])
    ends = dict(cluster.ends)
    cluster.take([hit(NOON, visitor=number) for number in range(20, 30)])
    query = Query(
        site=hit(NOON).site, metrics=(Metric.EVENTS,), period=Period(NOON, NOON + 1, "Etc/UTC")
    )
    assert (await History(asking, ends).query(query)).rows[0].metrics == (20,)
    assert (await History(asking, cluster.ends).query(query)).rows[0].metrics == (30,)
    assert (await History(asking, dict.fromkeys(ends, 0)).query(query)).rows[0].metrics == (0,)


async def test_what_retention_deleted_stays_away(
    cluster: Cluster, asking: QueryCoordinator, embedded: DuckDBStore
) -> None:
    records = traffic.records(1500)
    await fold_into(embedded, records)
    cluster.take(records, at_once=60)
    since = traffic.UNTIL - 4 * DAY
    await embedded.retain("c.example", since)
    signup = Compare(Op.IS, Dimension.NAME, ("pageview",))
    zone = traffic.SITES["c.example"]
    (kept,) = await embedded._threads.read(lambda c: c.rows("SELECT since FROM kept_since"))
    query = Query(
        site="c.example",
        metrics=(Metric.VISITORS, Metric.VISITS, Metric.EVENTS),
        period=Period(kept[0], traffic.UNTIL + DAY, zone),
        dimensions=(Dimension.EXIT_PAGE,),
        filters=(HasDone(signup),),
    )
    history = History(asking, cluster.ends, kept_since=kept[0])
    assert await history.query(query) == await embedded.query(query)


async def test_what_is_ordered_erased_is_gone_though_chunks_have_it_still(
    cluster: Cluster, index: Index, embedded: DuckDBStore
) -> None:
    records = traffic.records(1500)
    await fold_into(embedded, records)
    cluster.take(records, at_once=60)
    visitor = next(each.visitor for each in records if type(each) is Hit and each.site[0] == "a")
    assert await embedded.erase_visitor("a.example", visitor)
    shard = shard_of("a.example", visitor)
    erasure = Erasure(site="a.example", until=1 << 50, visitor=visitor, shard=shard)
    memories = cluster.memories
    memories[shard % PARTITIONS].erasures.note(erasure)

    def orders(partition: int, site: str) -> Sequence[Erasure]:
        return [each for each in memories[partition].erasures.all() if each.site == site]

    history = History(
        QueryCoordinator(
            index, orders, index.spread, TaskContext(IgniteSettings(), CassandraSettings(), 256)
        ),
        cluster.ends,
    )
    query = Query(
        site="a.example",
        metrics=(Metric.VISITORS, Metric.EVENTS, Metric.VISITS),
        period=Period(traffic.UNTIL - 9 * DAY, traffic.UNTIL + DAY, "Etc/UTC"),
        dimensions=(Dimension.HOUR,),
    )
    assert await history.query(query) == await embedded.query(query)


async def test_less_than_all_chunks_are_no_answer(
    cluster: Cluster, asking: QueryCoordinator
) -> None:
    cluster.take([hit(NOON + number, visitor=number) for number in range(80)], at_once=5)
    query = Query(
        site=hit(NOON).site, metrics=(Metric.EVENTS,), period=Period(NOON, NOON + 99, "Etc/UTC")
    )
    history = History(asking, cluster.ends)
    chunks = cluster.shared.chunks[0]
    gone = chunks.pop(1)
    with pytest.raises(StoreUnavailable, match="have a gap before record"):
        await history.query(query)
    chunks.insert(1, gone)
    first = chunks.pop(0)
    with pytest.raises(StoreUnavailable, match="missing before"):
        await history.query(query)
    chunks.insert(0, first)
    assert (await history.query(query)).rows[0].metrics == (80,)


async def test_chunks_that_are_merged_meanwhile_are_read_as_they_are_then(
    cluster: Cluster, index: Index
) -> None:
    cluster.take([hit(NOON + number, visitor=number) for number in range(80)], at_once=5)

    def spread(shares: Sequence[QueryTask]) -> list[TaskResult]:
        for partition in range(PARTITIONS):
            if len(index.shared.chunks[partition]) > 1:
                merged = compaction.merge(index.shared.chunks[partition])
                index.shared.chunks[partition] = merged
        return index.spread(shares)

    history = History(
        QueryCoordinator(
            index, none, spread, TaskContext(IgniteSettings(), CassandraSettings(), 256)
        ),
        cluster.ends,
    )
    query = Query(
        site=hit(NOON).site, metrics=(Metric.EVENTS,), period=Period(NOON, NOON + 99, "Etc/UTC")
    )
    assert (await history.query(query)).rows[0].metrics == (80,)
    assert index.refreshes == 1
