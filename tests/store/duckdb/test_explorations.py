"""Funnels, journeys and retention against the oracle, which follows the same events by hand."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.store.duckdb.test_partials import apart, scratch, write
from tests.store.rows import DAY, HOUR, MINUTE, Log
from tests.store.sql.test_compiler import FILTERS, TEXTS, TURNS, Stored, hits

from analytics.errors import Malformed
from analytics.event import Hit
from analytics.exploration import (
    Cohort,
    Exploration,
    FunnelQuery,
    FunnelResult,
    FunnelStep,
    JourneyQuery,
    JourneyResult,
    Passage,
    RetentionQuery,
    RetentionResult,
    RetentionUnit,
    Stop,
    StopKind,
    Waits,
)
from analytics.query import Compare, Dimension, Filter, InSequence, Op, Period
from analytics.store.duckdb import DuckDBStore, explorations, partials
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import paths
from analytics.visitor_id import COOKIELESS

__all__ = ["apart", "scratch"]

PAGES = st.builds(Compare, st.just(Op.IS), st.just(Dimension.PAGE), st.tuples(TEXTS))
NAMES = st.sampled_from(
    [Compare(Op.IS, Dimension.NAME, ("signup",)), Compare(Op.IS, Dimension.NAME, ("pageview",))]
)
STEPS = PAGES | NAMES | FILTERS
FILTER_LISTS = st.lists(FILTERS, max_size=1).map(tuple)
FUNNELS = st.builds(
    FunnelQuery,
    site=st.just(""),
    period=st.just(Period(0, 0, "")),
    steps=st.lists(STEPS, min_size=2, max_size=4).map(tuple),
    strict=st.booleans(),
    within_days=st.sampled_from([None, None, 1, 2]),
    filters=FILTER_LISTS,
    bots=st.booleans(),
)
JOURNEYS = st.builds(
    JourneyQuery,
    site=st.just(""),
    period=st.just(Period(0, 0, "")),
    start=STEPS,
    forward=st.booleans(),
    levels=st.integers(1, 4),
    most=st.integers(1, 3),
    events=st.booleans(),
    filters=FILTER_LISTS,
    bots=st.booleans(),
)
TABLES = st.builds(
    RetentionQuery,
    site=st.just(""),
    period=st.just(Period(0, 0, "")),
    unit=st.sampled_from(RetentionUnit),
    filters=FILTER_LISTS,
    bots=st.booleans(),
)
EXPLORATIONS = st.one_of(FUNNELS, FUNNELS, JOURNEYS, TABLES)
VISITORS = st.sampled_from([1, 2, 3, COOKIELESS + 5])
STARTS = st.sampled_from([-2 * DAY, -DAY, -HOUR, 0])
LENGTHS = st.sampled_from([HOUR, DAY, 3 * DAY, 40 * DAY])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_answer_is_the_oracles_whole_or_in_parts(
    apart: tuple[Stored, list[Stored]], scratch: Path, data: st.DataObject
) -> None:
    whole, places = apart
    zone, day = data.draw(st.sampled_from(TURNS))
    midnight = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    site = whole.new_site()
    sent = [
        structs.replace(each, visitor=data.draw(VISITORS))
        for each in data.draw(hits(site, midnight))
    ]
    write(apart, sent)
    for _ in range(4):
        start = midnight + data.draw(STARTS)
        period = Period(start, start + data.draw(LENGTHS), zone)
        asked = structs.replace(data.draw(EXPLORATIONS), site=site, period=period)
        answered = explorations.answer(whole.connection, asked)
        assert answered == paths.explore(sent, asked)
        made = [partials.make(place.connection, asked, scratch) for place in places]
        assert partials.merge(whole.connection, asked, made, scratch) == answered


def page(path: str) -> Filter:
    return Compare(Op.IS, Dimension.PAGE, (path,))


def visited(*paths: str, visitor: int = 1, at: int = NOON) -> list[Hit]:
    """A visit with a pageview each minute."""
    return [hit(at + n * MINUTE, path=path, visitor=visitor) for n, path in enumerate(paths)]


async def explored(store: DuckDBStore, sent: list[Hit], asked: Exploration) -> object:
    await store.write(Log().batch(sorted(sent, key=lambda each: each.ts)))
    return await store.explore(asked)


PERIOD = Period(NOON - DAY, NOON + 30 * DAY, "Etc/UTC")
SIGNUP = FunnelQuery(site=SITE, period=PERIOD, steps=(page("/"), page("/join"), page("/done")))
NO_WAITS = Waits(0, (0,) * 10)


def reached(answer: object) -> list[int]:
    assert isinstance(answer, FunnelResult)
    return [step.reached for step in answer.steps]


async def test_a_funnel_counts_each_visit_once_a_step(store: DuckDBStore) -> None:
    sent = [
        *visited("/", "/a", "/join", "/", "/join", "/done", visitor=1),
        *visited("/join", "/", visitor=COOKIELESS + 2),
        *visited("/done", visitor=3),
    ]
    minutes = tuple(int(n == 3) for n in range(10))
    assert await explored(store, sent, SIGNUP) == FunnelResult(
        steps=(
            FunnelStep(2, 1, NO_WAITS),
            FunnelStep(1, 0, Waits(2 * MINUTE, minutes)),
            FunnelStep(1, 0, Waits(3 * MINUTE, minutes)),
        ),
        to_convert=Waits(5 * MINUTE, tuple(int(n == 4) for n in range(10))),
    )


async def test_in_strict_order_the_next_event_is_the_next_step(store: DuckDBStore) -> None:
    sent = [
        *visited("/", "/a", "/join", "/done", visitor=1),
        *visited("/", "/", "/join", "/done", visitor=2),
    ]
    strict = structs.replace(SIGNUP, strict=True)
    assert reached(await explored(store, sent, strict)) == [2, 1, 1]


async def test_visitors_may_come_back_within_the_days(store: DuckDBStore) -> None:
    """Whoever began too early, and again, counts from the later beginning."""
    sent = [
        *visited("/", visitor=1),
        *visited("/", visitor=1, at=NOON + 9 * DAY),
        *visited("/join", "/done", visitor=1, at=NOON + 10 * DAY),
        *visited("/", visitor=2),
        *visited("/join", visitor=2, at=NOON + 3 * DAY),
    ]
    week = structs.replace(SIGNUP, within_days=7)
    assert reached(await explored(store, sent, week)) == [2, 2, 1]
    assert reached(await store.explore(structs.replace(week, within_days=2))) == [2, 1, 1]
    assert reached(await store.explore(SIGNUP)) == [3, 0, 0]


async def test_a_journey_goes_on_or_back(store: DuckDBStore) -> None:
    sent = [
        *visited("/", "/a", "/b", visitor=1),
        *visited("/x", "/", "/a", visitor=2),
        *visited("/", "/c", visitor=3),
    ]
    asked = JourneyQuery(site=SITE, period=PERIOD, start=page("/"), levels=2, most=1)
    stop = {path: Stop(StopKind.PAGE, path) for path in ("/", "/a", "/b", "/x")}
    other = Stop(StopKind.OTHER)
    assert await explored(store, sent, asked) == JourneyResult(
        passages=(
            Passage(0, None, stop["/"], 3),
            Passage(1, stop["/"], stop["/a"], 2),
            Passage(1, stop["/"], other, 1),
            Passage(2, stop["/a"], stop["/b"], 1),
        )
    )
    assert await store.explore(structs.replace(asked, forward=False)) == JourneyResult(
        passages=(Passage(0, None, stop["/"], 3), Passage(1, stop["/"], stop["/x"], 1))
    )


async def test_retention_leaves_out_whom_nobody_knows_again(store: DuckDBStore) -> None:
    sent = [
        hit(NOON - DAY, visitor=1),
        hit(NOON, visitor=1),
        hit(NOON, visitor=2),
        hit(NOON + 2 * DAY, visitor=2),
        hit(NOON, visitor=COOKIELESS + 3),
    ]
    days = Period(NOON - 12 * HOUR, NOON + 60 * HOUR, "Etc/UTC")
    asked = RetentionQuery(site=SITE, period=days, unit=RetentionUnit.DAY)
    assert await explored(store, sent, asked) == RetentionResult(
        cohorts=(
            Cohort("2026-11-24", (1, 0, 1)),
            Cohort("2026-11-25", (0, 0)),
            Cohort("2026-11-26", (0,)),
        ),
        cookieless=1,
    )


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (structs.replace(SIGNUP, steps=(page("/"),)), "steps"),
        (structs.replace(SIGNUP, steps=(page("/"),) * 9), "steps"),
        (structs.replace(SIGNUP, within_days=91), "within_days"),
        (JourneyQuery(site=SITE, period=PERIOD, start=page("/"), levels=11), "levels"),
        (JourneyQuery(site=SITE, period=PERIOD, start=page("/"), most=51), "limit"),
        (
            RetentionQuery(
                site=SITE, period=Period(0, 101 * DAY, "Etc/UTC"), unit=RetentionUnit.DAY
            ),
            "date_range",
        ),
        (structs.replace(SIGNUP, filters=(InSequence((page("/"),) * 9),)), "filters"),
        (structs.replace(SIGNUP, filters=(InSequence((page("/"),)),) * 4), "filters"),
        (structs.replace(SIGNUP, steps=(Compare(Op.IS, "event:nothing", ("x",)),) * 2), "filters"),
        (
            structs.replace(SIGNUP, steps=(Compare(Op.MATCHES, Dimension.PAGE, ("(",)),) * 2),
            "filters",
        ),
    ],
)
async def test_what_is_too_much_is_refused(
    store: DuckDBStore, asked: Exploration, field: str
) -> None:
    with pytest.raises(Malformed) as refused:
        await store.explore(asked)
    assert refused.value.field == field
