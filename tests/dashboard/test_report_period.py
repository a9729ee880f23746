"""Periods are those of the site's clocks."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import structs
from starlette.datastructures import QueryParams
from tests.dashboard.world import NOW, berlin

from analytics.dashboard import DashboardContext, report_period, report_url
from analytics.dashboard.report_url import ReportUrl
from analytics.query import Period
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

ZONE = "Europe/Berlin"


def _period(start: str, end: str) -> Period:
    return Period(berlin(start), berlin(end), ZONE)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("day", "2026-11-24", "2026-11-25"),
        ("yesterday", "2026-11-23", "2026-11-24"),
        ("7d", "2026-11-17", "2026-11-24"),
        ("28d", "2026-10-27", "2026-11-24"),
        ("last_month", "2026-10-01", "2026-11-01"),
        ("month", "2026-11-01", "2026-11-25"),
    ],
)
async def test_a_period_is_whole_days_of_the_site(
    deps: DashboardContext, period: str, start: str, end: str
) -> None:
    found = await report_period.resolve(deps, ReportUrl(site=SITE), period, ZONE)
    assert found.period.start == berlin(start)
    assert found.period.end in (berlin(end), NOW, NOW + 1)


async def test_a_custom_range_holds_both_its_dates(deps: DashboardContext) -> None:
    address = ReportUrl(site=SITE, period="custom", start="2026-10-24", end="2026-10-26")
    found = await report_period.resolve(deps, address, "custom", ZONE)
    assert found.period == _period("2026-10-24", "2026-10-27")
    assert found.dates == "24 – 26 Oct 2026"


async def test_a_running_day_is_compared_with_as_much_of_yesterday(deps: DashboardContext) -> None:
    found = await report_period.resolve(deps, ReportUrl(site=SITE), "day", ZONE)
    assert found.before == _period("2026-11-23", "2026-11-24")
    assert found.before_so_far == _period("2026-11-23", "2026-11-23 12:00")


async def test_a_period_that_is_over_is_compared_with_a_whole_one(deps: DashboardContext) -> None:
    found = await report_period.resolve(deps, ReportUrl(site=SITE), "yesterday", ZONE)
    assert found.before_so_far == found.before == _period("2026-11-22", "2026-11-23")


async def test_all_time_begins_with_the_first_event(
    deps: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(berlin("2026-03-05 09:00"))]))
    found = await report_period.resolve(deps, ReportUrl(site=SITE), "all", ZONE)
    assert found.period.start == berlin("2026-03-05")
    assert found.dates == "5 Mar – 24 Nov 2026"


async def test_all_time_of_a_site_without_events_is_today(deps: DashboardContext) -> None:
    found = await report_period.resolve(deps, ReportUrl(site=SITE), "all", ZONE)
    assert found.period.start == berlin("2026-11-24")


async def test_a_day_of_25_hours_is_compared_as_far_as_it_went(deps: DashboardContext) -> None:
    late = dataclasses.replace(deps, clock=lambda: berlin("2026-10-25 23:30"))
    found = await report_period.resolve(late, ReportUrl(site=SITE), "day", ZONE)
    assert found.before == _period("2026-10-24", "2026-10-25")
    assert found.before_so_far == _period("2026-10-24", "2026-10-24 23:30")


async def test_a_month_is_compared_to_the_same_time_of_day_whatever_the_clocks_did(
    deps: DashboardContext,
) -> None:
    after = dataclasses.replace(deps, clock=lambda: berlin("2026-03-30 15:00"))
    found = await report_period.resolve(after, ReportUrl(site=SITE), "month", ZONE)
    assert found.before == _period("2026-01-30", "2026-03-01")
    assert found.before_so_far == _period("2026-01-30", "2026-02-28 15:00")


async def test_of_days_to_come_nothing_has_passed(deps: DashboardContext) -> None:
    address = ReportUrl(site=SITE, period="custom", start="2026-12-01", end="2026-12-02")
    found = await report_period.resolve(deps, address, "custom", ZONE)
    start = berlin("2026-11-29")
    assert found.before_so_far == Period(start, start + 1, ZONE)


def test_a_range_that_has_not_begun_is_named_by_all_of_its_days() -> None:
    start, end = berlin("2030-01-01 00:00"), berlin("2030-02-02 00:00")
    assert report_period.dates_of(Period(start, end, "Europe/Berlin"), NOW) == "1 Jan – 1 Feb 2030"


@pytest.mark.parametrize(
    ("asked", "before", "name"),
    [
        ({}, _period("2026-11-10", "2026-11-17"), "the period before"),
        ({"against": "year"}, _period("2025-11-17", "2025-11-24"), "the same dates a year before"),
        # 17 November is a Tuesday in 2026, and a Monday in 2025.
        (
            {"against": "year", "same_weekday": True},
            _period("2025-11-18", "2025-11-25"),
            "the same dates a year before",
        ),
        (
            {"against": "custom", "compare_start": "2026-10-01", "compare_end": "2026-10-07"},
            _period("2026-10-01", "2026-10-08"),
            "1 – 7 Oct 2026",
        ),
    ],
)
async def test_the_reader_chooses_what_it_is_compared_with(
    deps: DashboardContext, asked: dict[str, object], before: Period, name: str
) -> None:
    address = structs.replace(ReportUrl(site=SITE), **asked)
    assert report_url.parse(SITE, QueryParams(address.fields())) == address
    found = await report_period.resolve(deps, address, "7d", ZONE)
    assert (found.before, found.before_so_far, found.before_name) == (before, before, name)
