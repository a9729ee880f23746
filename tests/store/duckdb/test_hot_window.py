"""The hot window: rows go, and no answer changes; what can't be answered any more says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.store import rows
from tests.store.sql import test_compiler
from tests.store.sql.test_cells import (
    DAY,
    GOALS,
    HOUR,
    STARTS,
    ZONES,
    Site,
    goal_queries,
    hits,
    queries,
)

from analytics import localtime
from analytics.errors import StoreUnavailable
from analytics.query import Dimension, Metric, NamedFilter, Period, Query
from analytics.store.base import ExportFormat
from analytics.store.connection import Connection
from analytics.store.duckdb import DuckDBStore, executor, hot_window, site_state
from analytics.store.duckdb.engine import Engine
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers
from analytics.visitor_id import COOKIELESS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def connection(folder: Path) -> Iterator[Connection]:
    engine = Engine(folder / "test.duckdb", "512MB", 2)
    yield engine.connect()
    engine.close()


def ask(connection: Connection, site: Site, query: Query) -> None:
    """The answer is right, or the question is one about what is gone."""
    hot = site_state.window(connection, site.name)
    try:
        found = executor.answer(connection, query).rows
    except hot_window.RowsEvicted:
        assert hot is not None  # a failure, where nothing is gone
        event("asked elsewhere")
        return
    if hot is not None and query.period.start < hot.since:
        event("answered though rows are gone")
    assert found == answers.answer(site.hits, query)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_answer_changes_when_rows_go(
    connection: Connection, folder: Path, data: st.DataObject
) -> None:
    site = Site(connection, folder)
    zone = data.draw(st.sampled_from(ZONES))
    day = data.draw(st.sampled_from(STARTS))
    start = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    first = localtime.day_number(day)
    for _ in range(3):
        site.write(data.draw(hits(site, start)))
        now = start + data.draw(st.integers(2 * 24, 8 * 24)) * HOUR
        site.build(zone, now, meanwhile=data.draw(hits(site, now - DAY)))
        hot_window.trim(connection, site.name, zone, now - data.draw(st.integers(0, 2)) * DAY)
        for _ in range(4):
            ask(connection, site, data.draw(queries(site.name, zone, first)))
            ask(connection, site, data.draw(goal_queries(site.name, zone, first)))
        midnight = start + data.draw(st.integers(0, 6)) * DAY
        ask(connection, site, data.draw(test_compiler.queries(site.name, zone, midnight)))
        start, first = start + 2 * DAY, first + 2


def test_later_days_are_built_and_counted_by_who_was_there_before(
    connection: Connection, folder: Path
) -> None:
    """A visitor of a gone day is no new one, whether the days after it are cells or rows."""
    site = Site(connection, folder)
    noon = NOON
    midnight = noon - 12 * HOUR
    for days in range(9):
        site.write([hit(noon + days * DAY, site=site.name, visitor=1 + days % 3)])
        now = noon + days * DAY
        site.build("Etc/UTC", now)
        hot_window.trim(connection, site.name, "Etc/UTC", now - 2 * DAY)
        period = Period(midnight, midnight + (days + 1) * DAY, "Etc/UTC")
        for dimensions in ((), (Dimension.SOURCE,), (Dimension.WEEK,), (Dimension.PAGE,)):
            query = Query(
                site=site.name,
                metrics=(Metric.VISITORS, Metric.PERCENTAGE, Metric.PAGEVIEWS),
                period=period,
                dimensions=dimensions,
            )
            assert executor.answer(connection, query).rows == answers.answer(site.hits, query)
    ((left,),) = connection.rows("SELECT count(*) FROM rows WHERE site = ?", [site.name])
    assert left == 3


def test_what_comes_late_for_a_gone_day_is_asked_elsewhere(
    connection: Connection, folder: Path
) -> None:
    site = Site(connection, folder)
    midnight = NOON - 12 * HOUR
    site.write([hit(NOON + d * DAY, site=site.name) for d in range(6)])
    site.build("Etc/UTC", NOON + 6 * DAY)
    hot_window.trim(connection, site.name, "Etc/UTC", NOON + 4 * DAY)
    query = Query(
        site=site.name,
        metrics=(Metric.VISITORS,),
        period=Period(midnight, midnight + 6 * DAY, "Etc/UTC"),
    )
    assert executor.answer(connection, query).rows[0].metrics == (1,)
    site.write([hit(NOON + DAY, site=site.name, visitor=2)])
    site.build("Etc/UTC", NOON + 7 * DAY)
    with pytest.raises(hot_window.RowsEvicted, match="before 2026-11-28"):
        executor.answer(connection, query)
    recent = Query(
        site=site.name,
        metrics=(Metric.VISITORS,),
        period=Period(midnight + 4 * DAY, midnight + 6 * DAY, "Etc/UTC"),
    )
    assert executor.answer(connection, recent).rows[0].metrics == (1,)


def test_goals_of_gone_days_are_asked_elsewhere_and_those_of_the_window_of_their_cells(
    connection: Connection, folder: Path
) -> None:
    site = Site(connection, folder)
    midnight = NOON - 12 * HOUR
    site.write([hit(NOON + d * DAY, site=site.name, name="signup") for d in range(6)])
    site.build("Etc/UTC", NOON + 5 * DAY)
    hot_window.trim(connection, site.name, "Etc/UTC", NOON + 2 * DAY)

    def goals(first: int) -> Query:
        return Query(
            site=site.name,
            metrics=(Metric.VISITORS, Metric.CONVERSIONS),
            period=Period(midnight + first * DAY, midnight + 6 * DAY, "Etc/UTC"),
            dimensions=(Dimension.GOAL,),
            goals=(NamedFilter("Signup", GOALS["Signup"]),),
            base_filters=(),
        )

    with pytest.raises(hot_window.RowsEvicted):
        executor.answer(connection, goals(0))
    site.ask(goals(2))
    site.write([hit(NOON + 6 * DAY, site=site.name, name="signup")])
    site.build("Etc/UTC", NOON + 7 * DAY)  # who reached it before the window is not known any more
    with pytest.raises(hot_window.RowsEvicted):
        executor.answer(connection, goals(0))
    site.ask(goals(2))
    connection.run(
        "UPDATE cell_sums SET events = 100 WHERE site = ? AND dimension = 'event:goal'",
        [site.name],
    )
    assert executor.answer(connection, goals(2)).rows[0].metrics == (1, 400)


async def test_a_store_keeps_its_accounts_of_what_it_let_go(tmp_path: Path) -> None:
    noon = NOON
    log = rows.Log()
    store = DuckDBStore(
        tmp_path / "store.duckdb",
        timezones=lambda: {SITE: "Europe/Berlin"},
        rebuild_at_most_every_ms=0,
        hot_days=3,
    )
    days = [hit(noon + d * DAY, visitor=COOKIELESS + d) for d in range(9)]
    async with store:
        await store.write(log.batch(days))
        query = Query(
            site=SITE,
            metrics=(Metric.VISITORS,),
            period=Period(noon - 13 * HOUR, noon + 9 * DAY - 13 * HOUR, "Europe/Berlin"),
        )
        before = await store.query(query)
        assert before.visitor_days
        counted = await store.recount()
        await store.build_cells(noon + 9 * DAY)
        assert await store._threads.read(lambda c: c.rows("SELECT count(*) FROM rows")) == [(3,)]
        assert await store.query(query) == before
        assert await store.recount() == counted
        assert await store.first_event(SITE) == noon
        with pytest.raises(StoreUnavailable, match="before 2026-11-30 are not on this replica"):
            await store.export(SITE, noon, noon + DAY, ExportFormat.CSV, tmp_path / "x")
        await store.export(SITE, noon + 7 * DAY, noon + 8 * DAY, ExportFormat.CSV, tmp_path / "x")
        # Retention deletes what is gone too, and says so in the ledger.
        assert await store.retain(SITE, noon + 2 * DAY) == 2
        ledger = await store.ledger()
        left = {key: line.stored - line.erased for key, line in ledger.items()}
        assert {k: n for k, n in left.items() if n} == await store.recount()
        assert sum(line.erased for line in ledger.values()) == 2
        seen = "SELECT count(*), min(day) FROM last_seen WHERE dimension = 'total'"
        ((kept, first),) = await store._threads.read(lambda c: c.rows(seen))
        assert (kept, first >= localtime.day_of("Europe/Berlin", noon + 2 * DAY)) == (2, True)
        # Whom an erasure concerns on gone days nobody here knows: they are asked elsewhere.
        await store.erase_visitor(SITE, COOKIELESS + 3)
        with pytest.raises(hot_window.RowsEvicted):
            await store.query(query)
        await store.erase_visitor(SITE, COOKIELESS + 5)
        assert await store._threads.read(lambda c: c.rows(seen)) == [(1, first)]
        await store.delete_site(SITE)
        assert (await store.query(query)).rows[0].metrics == (0,)
