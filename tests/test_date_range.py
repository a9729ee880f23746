"""Named ranges and dates as instants, on days whose clocks change too."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from analytics import date_range
from analytics.errors import Malformed
from analytics.query import Period

BERLIN = "Europe/Berlin"
HOUR = 3_600_000


def berlin(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN))
    return round(moment.timestamp() * 1000)


NOW = berlin("2026-11-24 12:00")


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("day", "2026-11-24", "2026-11-25"),
        ("7d", "2026-11-17", "2026-11-24"),
        ("28d", "2026-10-27", "2026-11-24"),
        ("30d", "2026-10-25", "2026-11-24"),
        ("91d", "2026-08-25", "2026-11-24"),
        ("month", "2026-11-01", "2026-11-25"),
        ("6mo", "2026-05-01", "2026-11-01"),
        ("12mo", "2025-11-01", "2026-11-01"),
        ("year", "2026-01-01", "2026-11-25"),
        ("all", "2026-03-29", "2026-11-25"),
        (["2026-03-29", "2026-03-29"], "2026-03-29", "2026-03-30"),
    ],
)
def test_a_range_is_whole_days_on_the_sites_clocks(asked: object, first: str, end: str) -> None:
    period = date_range.resolve(asked, BERLIN, NOW, berlin("2026-03-29 23:00"))
    assert period == Period(berlin(first), berlin(end), BERLIN)


def test_a_day_beside_a_time_is_the_whole_day() -> None:
    noon, day = "2026-03-28T12:00:00", "2026-03-29"
    assert date_range.resolve([noon, day], BERLIN, NOW) == Period(
        berlin("2026-03-28 12:00"), berlin("2026-03-30"), BERLIN
    )
    assert date_range.resolve([day, "2026-03-29T12:00:00"], BERLIN, NOW) == Period(
        berlin("2026-03-29"), berlin("2026-03-29 12:00") + 1, BERLIN
    )
    with pytest.raises(Malformed, match="the first date is after the last"):
        date_range.resolve(["2026-03-30T00:00:00", day], BERLIN, NOW)


def test_twenty_four_hours_end_now() -> None:
    assert date_range.resolve("24h", BERLIN, NOW) == Period(NOW - 24 * HOUR, NOW, BERLIN)


def test_all_of_an_empty_site_is_today() -> None:
    assert date_range.resolve("all", BERLIN, NOW) == date_range.resolve("day", BERLIN, NOW)


def test_two_times_are_both_included() -> None:
    asked = ["2026-11-24T10:00:00", "2026-11-24T10:59:59+01:00"]
    start = berlin("2026-11-24 10:00")
    assert date_range.resolve(asked, BERLIN, NOW) == Period(start, start + HOUR - 999, BERLIN)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        7,
        "",
        "7",
        "0d",
        "0mo",
        "forever",
        [],
        ["2026-01-01"],
        ["a", "b"],
        [1, 2],
        {},
        ["2026-01-02", "2026-01-01"],
        ["2026-02-30", "2026-03-01"],
        ["0000-01-01", "9999-12-31"],
    ],
)
def test_what_is_no_range_is_refused_by_name(asked: object) -> None:
    with pytest.raises(Malformed) as refused:
        date_range.resolve(asked, BERLIN, NOW)
    assert refused.value.field == "date_range"


def test_the_period_before_has_as_many_days_though_clocks_change() -> None:
    week = date_range.resolve(["2026-03-25", "2026-03-31"], BERLIN, NOW)
    before = date_range.previous(week)
    assert before == Period(berlin("2026-03-18"), berlin("2026-03-25"), BERLIN)
    assert before.end - before.start == week.end - week.start + HOUR


def test_the_period_before_some_hours_is_as_long() -> None:
    hours = Period(NOW, NOW + 3 * HOUR, BERLIN)
    assert date_range.previous(hours) == Period(NOW - 3 * HOUR, NOW, BERLIN)
