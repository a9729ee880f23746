"""A replica: the same answers from shared chunks as from the fold itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.imported import export
from tests.store.replica.world import (
    LATER,
    PARTITIONS,
    Clock,
    Cluster,
    Shared,
    fold_into,
    replica_in,
)

from analytics.errors import Misconfigured
from analytics.job.upkeep import compaction
from analytics.query import Imports, Metric, Period, Query
from analytics.sharding import partition_of
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.store import ReplicaStore
from analytics.testing.builders import NOON, hit


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


async def test_a_cluster_refuses_the_sums_of_another_product_and_says_what_to_do(
    replica: ReplicaStore, tmp_path: Path
) -> None:
    sums = {"visitors": [{"date": "2023-02-09", "visitors": 7}]}
    with pytest.raises(Misconfigured, match="Import the access logs of that time instead"):
        await export.bring(replica, tmp_path, "b.example", sums)
    with pytest.raises(Misconfigured, match="cannot keep the daily sums"):
        await replica.remove_import("b.example", 1)
    assert await replica.imports("b.example") == ()
    period = Period(NOON, NOON + 1, "Etc/UTC")
    asked = Query(site="b.example", metrics=(Metric.VISITORS,), period=period, imports=True)
    assert (await replica.query(asked)).imports is Imports.NO_IMPORTED_DATA


@pytest.mark.parametrize("apply", [False, True])
async def test_a_cluster_says_why_it_does_not_rebuild(replica: ReplicaStore, apply: bool) -> None:
    with pytest.raises(Misconfigured, match="stored ones stay as they were decided"):
        await replica.rebuild("b.example", "Etc/UTC", apply=apply)
