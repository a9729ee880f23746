"""What is erased or past the retention leaves the chunks and every replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.store.replica.world import (
    LATER,
    Clock,
    Cluster,
    Orders,
    Shared,
    fold_into,
    replica_in,
)
from tests.store.rows import DAY, HOUR

from analytics.errors import StoreUnavailable
from analytics.event import Hit, LogRecord, Row
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import Metric, Period, Query
from analytics.store.chunks import arrow, codec
from analytics.store.chunks.chunk import Chunk
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.store import ReplicaStore
from analytics.testing.builders import hit


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
