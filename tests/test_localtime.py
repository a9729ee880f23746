"""Local time by whole numbers agrees with Python's clocks, through every change of theirs."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import localtime
from analytics.errors import Malformed
from analytics.query import Dimension, Metric, Period, Query
from analytics.store.sql.time_buckets import MAX_BUCKETS, time_labels

BERLIN = "Europe/Berlin"


@given(
    st.sampled_from(
        [
            BERLIN,
            "America/Santiago",
            "Asia/Tehran",
            "Etc/UTC",
            "Africa/Cairo",
            "Australia/Lord_Howe",
        ]
    ),
    st.dates(date(2005, 1, 1), date(2035, 1, 1)),
)
def test_a_day_is_every_moment_that_clocks_call_so(zone: str, day: date) -> None:
    number = localtime.day_number(day)
    start, end = localtime.day_start(zone, number), localtime.day_start(zone, number + 1)

    def called(at: int) -> date:
        return datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).date()

    assert called(start) == called(end - 1) == day
    assert called(start - 1) == day - timedelta(1)
    assert localtime.is_day_start(zone, start)
    assert not localtime.is_day_start(zone, start + 1)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "Asia/Kathmandu"])
def test_changes_are_found_to_the_millisecond(zone: str) -> None:
    start, end = (
        round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (2020, 2027)
    )
    found = localtime.changes(zone, start, end)
    for earlier, later in itertools.pairwise(found):
        assert localtime.offset_ms(zone, later.since - 1) == earlier.offset_ms
        assert localtime.offset_ms(zone, later.since) == later.offset_ms
    for hour in range(start, end, 3_600_000):
        held = [change for change in found if change.since <= hour][-1]
        assert held.offset_ms == localtime.offset_ms(zone, hour)


def labels(first: str, end: str, dimension: Dimension) -> list[str]:
    zone = ZoneInfo(BERLIN)
    start, stop = (
        round(datetime.fromisoformat(day).replace(tzinfo=zone).timestamp() * 1000)
        for day in (first, end)
    )
    period = Period(start, stop, BERLIN)
    metrics = (Metric.VISITORS,)
    query = Query(site="a.example", metrics=metrics, period=period, dimensions=(dimension,))
    return list(time_labels(query))


def test_every_bucket_has_its_name_and_the_hour_that_is_skipped_has_none() -> None:
    spring = labels("2026-03-29", "2026-03-30", Dimension.HOUR)
    assert len(spring) == 23
    assert "2026-03-29 02:00:00" not in spring
    autumn = labels("2026-10-25", "2026-10-26", Dimension.HOUR)
    assert len(autumn) == len(set(autumn)) == 24
    assert labels("2026-01-01", "2026-01-13", Dimension.WEEK) == [
        "2026-01-01",
        "2026-01-05",
        "2026-01-12",
    ]
    assert labels("2026-01-15", "2026-03-02", Dimension.MONTH) == [
        "2026-01-01",
        "2026-02-01",
        "2026-03-01",
    ]
    assert labels("2026-02-27", "2026-03-02", Dimension.DAY) == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]


def by_quarter_hours(period: Period) -> list[str]:
    """The hours of *period* as a clock on the wall would show them one after the other."""
    zone = ZoneInfo(period.timezone)
    steps = range(period.start, period.end, 900_000)
    shown = (f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:00:00}" for at in steps)
    return [*dict.fromkeys(shown)]


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]
)
def test_a_year_of_hours_is_what_a_clock_on_the_wall_shows(zone: str) -> None:
    start, end = (
        round(datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
        for year in (2026, 2027)
    )
    period = Period(start, end, zone)
    query = Query(
        site="a.example", metrics=(Metric.VISITORS,), period=period, dimensions=(Dimension.HOUR,)
    )
    assert list(time_labels(query)) == by_quarter_hours(period)


@pytest.mark.parametrize(
    ("dimension", "longest", "too_long"),
    [
        (Dimension.HOUR, ("2026-01-01", "2027-02-01"), ("2026-01-01", "2027-03-01")),
        (Dimension.DAY, ("2000-01-01", "2027-01-01"), ("2000-01-01", "2028-01-01")),
        (Dimension.WEEK, ("1970-01-01", "2160-01-01"), ("1970-01-01", "2162-01-01")),
        (Dimension.MONTH, ("1970-01-01", "2200-01-01"), ("0202-01-01", "9999-01-01")),
    ],
)
def test_a_series_has_a_bound_which_the_error_names(
    dimension: Dimension, longest: tuple[str, str], too_long: tuple[str, str]
) -> None:
    assert len(labels(*longest, dimension)) <= MAX_BUCKETS
    with pytest.raises(Malformed, match=f"{MAX_BUCKETS:,} {dimension.removeprefix('time:')}s"):
        labels(*too_long, dimension)
