"""Rebuilt figures are those of a log in which nothing came late, whatever comes meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from analytics import localtime
from analytics.admin import rebuilding
from analytics.admin.operation_context import OperationContext
from analytics.admin.rebuilding import Rebuild, RebuildResult
from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.journal_rebuild import JournalRebuild
from analytics.projector import Projector
from analytics.query import Dimension, Metric, Period, Query, ResultRow
from analytics.resources import Resources
from analytics.settings import Settings
from analytics.startup import open_resources
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONE = "Europe/Berlin"
METRICS = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
    Metric.VIEWS_PER_VISIT,
)
FIRST = localtime.day_of(ZONE, NOON)
PERIOD = Period(localtime.day_start(ZONE, FIRST - 2), localtime.day_start(ZONE, FIRST + 9), ZONE)


def query(*dimensions: str, metrics: Sequence[Metric] = METRICS) -> Query:
    return Query(site=SITE, metrics=tuple(metrics), period=PERIOD, dimensions=dimensions)


QUERIES = (
    query(),
    query(Dimension.DAY),
    query(Dimension.SOURCE),
    query(Dimension.CHANNEL, Dimension.DAY),
    query(Dimension.ENTRY_PAGE),
    query(Dimension.EXIT_PAGE, metrics=(Metric.VISITORS, Metric.VISITS)),
    query(Dimension.PAGE, metrics=(Metric.VISITORS, Metric.EXITS, Metric.TIME_ON_PAGE)),
)


def late_visit(visitor: int = 1) -> list[Hit]:
    """A visit of three pages, the middle one of which comes five days late."""
    return [
        hit(NOON, visitor=visitor, path="/first", referrer="google.com"),
        hit(NOON + 40 * MINUTE, visitor=visitor, path="/third"),
        hit(NOON + 20 * MINUTE, visitor=visitor, path="/second", received_at=NOON + 5 * DAY),
    ]


def at_once(hits: Sequence[Hit]) -> list[Hit]:
    ordered = sorted(hits, key=lambda each: each.ts)
    return [structs.replace(each, received_at=each.ts) for each in ordered]


async def figures(parts: Resources) -> list[tuple[ResultRow, ...]]:
    await parts.settle()
    return [(await parts.store.query(each)).rows for each in QUERIES]


def truth(hits: Sequence[Hit]) -> list[tuple[ResultRow, ...]]:
    return [answers.answer(at_once(hits), each) for each in QUERIES]


def opened(folder: Path) -> AbstractAsyncContextManager[Resources]:
    return open_resources(Settings(data=folder / "data"))


def in_small_parts(parts: Resources) -> Resources:
    assert isinstance(parts.figures, Projector)
    assert isinstance(parts.store, DuckDBStore)
    small = JournalRebuild(parts.figures, parts.store, rows_at_once=3)
    return dataclasses.replace(parts, rebuilds=small)


async def rebuilt(parts: Resources, *, apply: bool = True) -> RebuildResult:
    operation = rebuilding.run if apply else rebuilding.preview
    return await operation(parts, Rebuild(sites=(SITE,)), OperationContext())


async def test_a_preview_says_what_changes_and_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        await parts.log.append(late_visit())
        before = await figures(parts)
        (site,) = (await rebuilt(parts, apply=False)).sites
        assert (site.events, site.changed, site.days) == (3, 2, 1)
        changes = {(c.figure, c.dimension, c.value): (c.before, c.after) for c in site.changes}
        assert {change.day for change in site.changes} == {"2026-11-24"}
        expected = {
            ("visits", "", ""): (3, 1),
            ("bounce_rate", "", ""): (100, 0),
            ("visit_duration", "", ""): (0, 2400),
            ("views_per_visit", "", ""): (1, 3),
            ("visits", "visit:channel", "Direct"): (2, 0),
            ("visits", "visit:source", ""): (2, 0),
            ("exits", "visit:exit_page", "/first"): (1, 0),
            ("exits", "visit:exit_page", "/second"): (1, 0),
        }
        assert {key: changes.get(key) for key in expected} == expected
        assert {figure for figure, _, _ in changes} == {figure for figure, _, _ in expected}
        assert await figures(parts) == before


async def test_applied_it_gives_the_figures_of_event_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        await parts.log.append([*late_visit(), *late_visit(2), hit(NOON, visitor=3)])
        assert await figures(parts) != truth([*late_visit(), *late_visit(2), hit(NOON, visitor=3)])
        await parts.store.build_cells(NOON + 9 * DAY)
        result = await rebuilt(parts)
        assert (result.rows, result.applied) == (4, True)
        sent = [*late_visit(), *late_visit(2), hit(NOON, visitor=3)]
        assert await figures(parts) == truth(sent)
        await parts.store.build_cells(NOON + 9 * DAY)
        assert await figures(parts) == truth(sent)
        assert (await rebuilt(parts)).rows == 0
    async with opened(tmp_path) as parts:
        assert await figures(parts) == truth(sent)


@st.composite
def hits(draw: st.DrawFn) -> list[Hit]:
    made: list[Hit] = []
    for _ in range(draw(st.integers(1, 12))):
        ts = NOON + draw(st.integers(0, 2 * 24 * 6)) * 10 * MINUTE
        name = draw(st.sampled_from([PAGEVIEW, PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"]))
        engaged = draw(st.integers(0, 50)) * MINUTE if name == ENGAGEMENT else 0
        made.append(
            hit(
                ts,
                received_at=ts + draw(st.sampled_from([0, 0, HOUR, 4 * DAY])),
                visitor=draw(st.integers(1, 3)),
                name=name,
                engaged_ms=engaged,
                path=draw(st.sampled_from(["/", "/a", "/b"])),
                referrer=draw(st.sampled_from(["", "google.com", "example.org/x"])),
                bot=draw(st.sampled_from([None, None, None, "crawler"])),
            )
        )
    return sorted(made, key=lambda each: each.received_at)


async def check_truth(sent: list[Hit], cut: int) -> None:
    """Rebuild after *cut* events and after the rest; between the two, visits go on."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as parts:
            await parts.catalog.sites.add(SITE, timezone=ZONE)
            if sent[:cut]:
                await parts.log.append(sent[:cut])
            before = await figures(parts)
            preview = await rebuilt(parts, apply=False)
            result = await rebuilt(parts)
            assert [each.changes for each in result.sites] == [
                each.changes for each in preview.sites
            ]
            after = await figures(parts)
            assert after == truth(sent[:cut])
            check_changes(result, before[1], after[1])
            if sent[cut:]:
                await parts.log.append(sent[cut:])
            await parts.settle()
            await rebuilt(parts)
            assert await figures(parts) == truth(sent)


def check_changes(
    result: RebuildResult, before: Sequence[ResultRow], after: Sequence[ResultRow]
) -> None:
    """Hold the listed changes of the whole site to the answers before and after."""
    differing = set()
    by_day = [{row.dimensions[0]: row.metrics for row in rows} for rows in (before, after)]
    for day in by_day[0].keys() | by_day[1].keys():
        for metric in (Metric.VISITS, Metric.BOUNCE_RATE, Metric.VISIT_DURATION):
            at = METRICS.index(metric)
            # A day on which a visit began has an event, and so a row; without one, it has none.
            of = [(days[day][at] if day in days else None) for days in by_day]
            if of[0] != of[1]:
                differing.add((day, str(metric), *of))
    listed = {
        (change.day, change.figure, change.before, change.after)
        for change in result.sites[0].changes
        if not change.dimension
    }
    assert listed == differing


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hits(), st.integers(0, 12))
def test_figures_are_the_oracles_fed_by_event_time(sent: list[Hit], cut: int) -> None:
    asyncio.run(check_truth(sent, min(cut, len(sent))))


async def test_an_open_visit_goes_on_after_it(tmp_path: Path) -> None:
    """The projector remembers visits by their rows, which are others now."""
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        early = hit(NOON, path="/first")
        later = hit(NOON + 40 * MINUTE, path="/third")
        between = hit(NOON + 20 * MINUTE, path="/second", received_at=NOON + 41 * MINUTE)
        await parts.log.append([early, later, between])
        await rebuilt(parts)
        following = hit(NOON + 60 * MINUTE, path="/fourth")
        await parts.log.append([following])
        assert await figures(parts) == truth([early, later, between, following])


async def test_events_that_come_while_it_works_are_in_the_figures(
    tmp_path: Path,
) -> None:
    sent: list[Hit] = []
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        for visitor in range(1, 9):
            sent += late_visit(visitor)
        await parts.log.append(sent)
        working = asyncio.ensure_future(rebuilt(in_small_parts(parts)))
        number = 0
        while not working.done():
            number += 1
            meanwhile = hit(
                NOON + 10 * MINUTE, visitor=number % 8 + 1, path="/x", received_at=NOON + 6 * DAY
            )
            await parts.log.append([meanwhile])
            sent.append(meanwhile)
            await asyncio.sleep(0)
        await working
        assert number > 1
        await rebuilt(parts)
        assert await figures(parts) == truth(sent)


async def test_interrupted_it_has_decided_some_visitors_as_a_whole_and_goes_on_when_run_again(
    tmp_path: Path,
) -> None:
    sent = [each for visitor in range(1, 9) for each in late_visit(visitor)]
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        await parts.log.append(sent)
        begun = asyncio.Event()
        working = asyncio.ensure_future(
            rebuilding.run(
                in_small_parts(parts),
                Rebuild(sites=(SITE,)),
                OperationContext(report=lambda done: begun.set() if done.done else None),
            )
        )
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        ((row,),) = [await total(parts)]
        visits = row.metrics[METRICS.index(Metric.VISITS)]
        assert visits in range(8, 24, 2), "of each visitor, one visit or three"
        await rebuilt(parts)
        assert await figures(parts) == truth(sent)


async def total(parts: Resources) -> tuple[ResultRow, ...]:
    return (await figures(parts))[0]


async def test_the_ledger_balances_and_every_byte_that_was_received_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        sent = [
            structs.replace(each, props={"plan": 'te"am'}, revenue="-12.005", currency="EUR")
            for each in late_visit()
        ]
        await parts.log.append(sent)
        await parts.settle()
        raw = "SELECT event_id, ts, received_at, visitor, props, revenue, referrer, log_offset"

        async def received() -> object:
            threads = parts.store._threads  # type: ignore[attr-defined]
            return await threads.read(lambda c: c.rows(f"{raw} FROM rows ORDER BY log_offset"))

        before = await received()
        await rebuilt(parts)
        assert await received() == before
        ledger = await parts.store.ledger(SITE)
        assert {key: line.stored for key, line in ledger.items()} == await parts.store.recount(SITE)


async def test_what_retention_left_of_a_visit_is_not_counted_as_another(tmp_path: Path) -> None:
    midnight = localtime.day_start(ZONE, FIRST)
    async with opened(tmp_path) as parts:
        await parts.catalog.sites.add(SITE, timezone=ZONE)
        across = [
            hit(midnight - 10 * MINUTE, path="/before"),
            hit(midnight + 10 * MINUTE, path="/after"),
            hit(NOON, visitor=2),
        ]
        await parts.log.append(across)
        await parts.settle()
        assert await parts.erases.retain(SITE, midnight) == 1
        before = await figures(parts)
        assert (await rebuilt(parts)).rows == 0
        assert await figures(parts) == before
