"""A replica that let old rows go, with the job behind it: every answer as from all rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.job.query.test_coordinator import History, Index, none
from tests.store.replica.world import Clock, Cluster, Shared, fold_into, replica_in

from analytics.errors import Malformed, StoreUnavailable
from analytics.exploration import FunnelQuery, JourneyQuery, RetentionQuery, RetentionUnit
from analytics.job.query.coordinator import QueryCoordinator, TaskContext
from analytics.query import Compare, InSequence, Metric, Op, Period, Query
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.duckdb import DuckDBStore

NOW = traffic.UNTIL + 2 * traffic.HOUR
WHOLE = Query(
    site="a.example",
    metrics=(Metric.VISITORS, Metric.EVENTS),
    period=Period(traffic.UNTIL - 8 * traffic.DAY, traffic.UNTIL + traffic.DAY, "Etc/UTC"),
    filters=(Compare(Op.IS, "visit:browser", ("Chrome",)),),
)

PERIOD = WHOLE.period
PAGES = (Compare(Op.CONTAINS, "event:page", ("/",)), Compare(Op.IS, "event:name", ("pageview",)))
FUNNEL = FunnelQuery(site="a.example", period=PERIOD, steps=PAGES)
RECENT = structs.replace(FUNNEL, period=structs.replace(PERIOD, start=traffic.UNTIL - traffic.DAY))
EXPLORATIONS = (
    FUNNEL,
    JourneyQuery(site="a.example", period=PERIOD, start=PAGES[0], most=3, events=True),
    RetentionQuery(site="a.example", period=PERIOD, unit=RetentionUnit.DAY),
    FunnelQuery(site="a.example", period=PERIOD, steps=PAGES, within_days=3, strict=True),
    FunnelQuery(site="c.example", period=PERIOD, steps=PAGES, within_days=3),
    RetentionQuery(site="c.example", period=PERIOD, unit=RetentionUnit.DAY),
    RetentionQuery(
        site="c.example",
        period=structs.replace(PERIOD, start=traffic.UNTIL - 2 * traffic.DAY),
        filters=(InSequence(PAGES),),
        unit=RetentionUnit.DAY,
    ),
)


async def test_with_the_job_behind_it_a_replica_answers_everything(tmp_path: Path) -> None:
    records = traffic.records(1200)
    shared = Shared()
    cluster = Cluster(tmp_path, shared)
    index = Index(shared)
    history = History(
        QueryCoordinator(
            index, none, index.spread, TaskContext(IgniteSettings(), CassandraSettings(), 256)
        ),
        cluster.ends,
    )
    embedded = DuckDBStore(tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES)
    replica = replica_in(tmp_path / "r", shared, Clock(), history=history, hot_days=3)
    async with replica, embedded:
        await fold_into(embedded, records)
        cluster.take(records, at_once=100)
        await replica.follower.reached(cluster.ends)
        await replica.build_cells(NOW)
        await embedded.build_cells(NOW)
        rows = {site: await _rows(replica._engine, site) for site in traffic.SITES}
        whole = {site: await _rows(embedded, site) for site in traffic.SITES}
        assert all(0 < rows[site] < 0.7 * whole[site] for site in traffic.SITES), (rows, whole)
        assert await replica.ledger() == await embedded.ledger()
        assert await replica.recount() == await embedded.recount()
        for site in traffic.SITES:
            assert await replica.first_event(site) == await embedded.first_event(site)
            figures, found = await differences(embedded, replica, site, every=501)
            assert (found[:1], figures > 20) == ([], True)
        assert history.asked > 5
        asked = history.asked
        await replica.query(WHOLE)
        assert history.asked == asked + 1
        with pytest.raises(Malformed, match="regular expression"):
            await replica.query(_matching("("))
        await replica._engine.retain("c.example", traffic.UNTIL - 5 * traffic.DAY)
        await embedded.retain("c.example", traffic.UNTIL - 5 * traffic.DAY)
        figures, found = await differences(embedded, replica, "c.example", every=501)
        assert found[:1] == []
        assert await replica.ledger() == await embedded.ledger()
        asked = history.asked
        for exploration in EXPLORATIONS:
            assert await replica.explore(exploration) == await embedded.explore(exploration)
        assert history.asked == asked + len(EXPLORATIONS)


async def test_without_the_job_a_question_about_gone_days_has_no_answer(tmp_path: Path) -> None:
    records = traffic.records(600)
    shared = Shared()
    cluster = Cluster(tmp_path, shared)
    async with replica_in(tmp_path / "r", shared, Clock(), hot_days=3) as replica:
        cluster.take(records)
        await replica.follower.reached(cluster.ends)
        before = await replica.query(WHOLE)
        recent = await replica.explore(RECENT)
        await replica.build_cells(NOW)
        with pytest.raises(StoreUnavailable, match=r"before .* of a.example are not on this") as e:
            await replica.query(structs.replace(WHOLE, metrics=(Metric.PAGEVIEWS,)))
        assert "spark-job" in str(e.value)
        for exploration in EXPLORATIONS[:3]:
            with pytest.raises(StoreUnavailable, match=r"not on this replica.*spark-job"):
                await replica.explore(exploration)
        assert await replica.explore(RECENT) == recent
        assert before.rows[0].metrics[0]
        assert await replica.query(WHOLE) == before  # which was asked before, and is remembered


def _matching(pattern: str) -> Query:
    return Query(
        site=WHOLE.site,
        metrics=WHOLE.metrics,
        period=WHOLE.period,
        filters=(Compare(Op.MATCHES, "event:page", (pattern,)),),
    )


async def _rows(store: DuckDBStore, site: str) -> int:
    found = await store._threads.read(
        lambda c: c.rows("SELECT count(*) FROM rows WHERE site = ?", [site])
    )
    return int(found[0][0])
