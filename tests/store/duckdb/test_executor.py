"""An answer says when its visitors are visitor-days."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.store.rows import DAY, HOUR, Log

from analytics.event import ENGAGEMENT, Hit
from analytics.query import Metric, Period, Query
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, SITE, hit
from analytics.visitor_id import COOKIELESS

NOBODY = COOKIELESS | 7
TWO_DAYS = Query(
    site=SITE,
    metrics=(Metric.VISITORS,),
    period=Period(NOON - 13 * HOUR, NOON + DAY - 13 * HOUR + 1, "Europe/Berlin"),
)
"""A day in Berlin, and the first millisecond of the next."""


async def asked_of(store: DuckDBStore, *hits: Hit, query: Query = TWO_DAYS) -> bool:
    await store.write(Log().batch(hits))
    return (await store.query(query)).visitor_days


@pytest.mark.parametrize("metric", [Metric.VISITORS, Metric.PERCENTAGE])
async def test_a_count_over_days_with_somebody_without_a_cookie_is_of_visitor_days(
    store: DuckDBStore, metric: Metric
) -> None:
    both = [hit(NOON), hit(NOON + 1, visitor=NOBODY)]
    assert await asked_of(store, *both, query=structs.replace(TWO_DAYS, metrics=(metric,)))


async def test_cells_say_so_too(store: DuckDBStore) -> None:
    await store.write(Log().batch([hit(NOON - 2 * DAY, visitor=NOBODY), hit(NOON)]))
    assert await store.build_cells(NOON + DAY) == 1
    days = Period(NOON - 2 * DAY - 13 * HOUR, NOON - 13 * HOUR, "Europe/Berlin")
    assert (await store.query(structs.replace(TWO_DAYS, period=days))).visitor_days


async def test_where_everybody_has_a_cookie_visitors_are_visitors(store: DuckDBStore) -> None:
    assert not await asked_of(store, hit(NOON, visitor=COOKIELESS - 1))


@pytest.mark.parametrize(
    "other",
    [
        hit(NOON, visitor=NOBODY, site="other.example"),
        hit(NOON - 2 * DAY, visitor=NOBODY),
        hit(NOON, visitor=NOBODY, bot="crawler"),
        hit(NOON, visitor=NOBODY, name=ENGAGEMENT),
    ],
    ids=["another site's", "before the period", "a machine", "a ping without an event"],
)
async def test_who_is_not_counted_makes_no_visitor_days(store: DuckDBStore, other: Hit) -> None:
    assert not await asked_of(store, hit(NOON - 2 * DAY), other, hit(NOON))


async def test_machines_make_visitor_days_where_they_count(store: DuckDBStore) -> None:
    machine = hit(NOON, visitor=NOBODY, bot="crawler")
    assert await asked_of(store, machine, query=structs.replace(TWO_DAYS, bots=True))


@pytest.mark.parametrize(
    "query",
    [
        structs.replace(
            TWO_DAYS, period=structs.replace(TWO_DAYS.period, end=TWO_DAYS.period.end - 1)
        ),
        structs.replace(TWO_DAYS, metrics=(Metric.PAGEVIEWS, Metric.VISITS)),
    ],
    ids=["one day of the site", "no uniques"],
)
async def test_what_counts_nobody_twice_is_not_of_visitor_days(
    store: DuckDBStore, query: Query
) -> None:
    assert not await asked_of(store, hit(NOON, visitor=NOBODY), query=query)
