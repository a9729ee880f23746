"""Visitors' rows answered apart and merged: to the last digit what they give together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.store.sql.test_compiler import TURNS, Stored, hits, queries

from analytics.event import Hit
from analytics.query import Dimension, Metric, Order, Period, Query
from analytics.store.duckdb import executor, partials
from analytics.store.duckdb.engine import Engine
from analytics.visitor_id import COOKIELESS

PLACES = 3


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stored, list[Stored]]]:
    """A database for everybody, and some that each have a share of the visitors."""
    folder = tmp_path_factory.mktemp("store")
    engines = [Engine(folder / f"{number}.duckdb", "256MB", 1) for number in range(PLACES + 1)]
    whole, *places = (Stored(engine.connect(), folder) for engine in engines)
    yield whole, places
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def write(stored: tuple[Stored, list[Stored]], sent: list[Hit]) -> None:
    whole, places = stored
    whole.write(sent)
    for number, place in enumerate(places):
        place.write([hit for hit in sent if hit.visitor % PLACES == number])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_partials_merged_are_the_whole(
    apart: tuple[Stored, list[Stored]], scratch: Path, data: st.DataObject
) -> None:
    whole, places = apart
    zone, day = data.draw(st.sampled_from(TURNS))
    midnight = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    site = whole.new_site()
    sent = data.draw(hits(site, midnight))
    # More visitors, so that each place has some, and some who are good for one day only.
    visitors = st.sampled_from([1, 2, 3, 4, COOKIELESS + 5, 2**64 - 1])
    sent = [structs.replace(hit, visitor=data.draw(visitors)) for hit in sent]
    write(apart, sent)
    for _ in range(4):
        query = structs.replace(data.draw(queries(site, zone, midnight)), total_rows=True)
        made = [partials.make(place.connection, query, scratch) for place in places]
        merged = partials.merge(whole.connection, query, made, scratch)
        assert merged == executor.answer(whole.connection, query)
    assert list(scratch.iterdir()) == []


def test_no_rows_anywhere_are_no_rows(apart: tuple[Stored, list[Stored]], scratch: Path) -> None:
    whole, places = apart
    query = Query(
        site="nobody.example",
        metrics=(Metric.VISITORS, Metric.PERCENTAGE, Metric.TOTAL_REVENUE, Metric.BOUNCE_RATE),
        period=Period(0, 1 << 39, "Etc/UTC"),
        order_by=(Order(Metric.VISITORS),),
        total_rows=True,
    )
    for asked in (query, structs.replace(query, dimensions=(Dimension.SOURCE, Dimension.DAY))):
        made = [partials.make(place.connection, asked, scratch) for place in places]
        merged = partials.merge(whole.connection, asked, made, scratch)
        assert merged == executor.answer(whole.connection, asked)
