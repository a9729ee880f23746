"""The plot has every bucket and none of the future; sparklines stay in their box."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dashboard.world import berlin

from analytics.dashboard import plot_points
from analytics.query import Metric, Period
from analytics.testing.builders import SITE

ZONE = "Europe/Berlin"


def _period(start: str, end: str) -> Period:
    return Period(berlin(start), berlin(end), ZONE)


@pytest.mark.parametrize(
    ("start", "end", "usual"),
    [
        ("2026-11-24", "2026-11-25", "hour"),
        ("2026-10-25", "2026-10-26", "hour"),
        ("2026-11-23", "2026-11-25", "day"),
        ("2026-08-25", "2026-11-24", "day"),
        ("2026-06-01", "2026-11-25", "week"),
        ("2026-01-01", "2026-11-25", "month"),
    ],
)
def test_a_longer_period_has_longer_buckets(start: str, end: str, usual: str) -> None:
    period = _period(start, end)
    assert plot_points.usual_interval(period) == usual
    assert usual in plot_points.intervals(period)
    assert len(plot_points.buckets(SITE, period, usual)) <= 93


def test_the_hour_that_clocks_repeat_is_one_bucket_and_the_skipped_one_none() -> None:
    autumn = plot_points.buckets(SITE, _period("2026-10-25", "2026-10-26"), "hour")
    spring = plot_points.buckets(SITE, _period("2026-03-29", "2026-03-30"), "hour")
    assert len(autumn) == 24
    assert len(spring) == 23


def test_a_cut_first_week_begins_with_the_range() -> None:
    weeks = plot_points.buckets(SITE, _period("2026-11-11", "2026-11-24"), "week")
    assert [week.name for week in weeks] == [
        "Week of 11 Nov 2026",
        "Week of 16 Nov 2026",
        "Week of 23 Nov 2026",
    ]


def test_an_empty_bucket_is_zero_and_a_coming_one_nothing() -> None:
    today = plot_points.buckets(SITE, _period("2026-11-24", "2026-11-25"), "hour")
    before = plot_points.buckets(SITE, _period("2026-11-23", "2026-11-24"), "hour")
    points = plot_points.points(
        Metric.VISITORS,
        today,
        {"2026-11-24 09:00:00": 4},
        before,
        {"2026-11-23 23:00:00": 2},
        datetime.fromisoformat("2026-11-24 12:30"),
        running=True,
    )
    values = [point.value for point in points]
    assert values == [0] * 9 + [4] + [0] * 3 + [None] * 11
    assert [index for index, point in enumerate(points) if point.unfinished] == [12]
    assert points[23].before == 2
    assert points[9].name == "Tue 24 Nov, 09:00"
    assert points[9].before_name == "Mon 23 Nov, 09:00"


def test_the_last_bucket_of_a_period_that_is_over_is_finished() -> None:
    days = plot_points.buckets(SITE, _period("2026-11-17", "2026-11-24"), "day")
    now = datetime.fromisoformat("2026-11-24 12:30")
    points = plot_points.points(Metric.VISITORS, days, {}, [], {}, now, running=False)
    assert not any(point.unfinished for point in points)
    assert points[-1].before_text == "–"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=48))
def test_every_point_of_a_sparkline_lies_in_its_box(values: list[int]) -> None:
    for place in plot_points.sparkline(values).line.split():
        x, y = map(float, place.split(","))
        assert 0 <= x <= plot_points.SPARKLINE_WIDTH
        assert 0 <= y <= plot_points.SPARKLINE_HEIGHT


def test_more_is_higher_in_a_sparkline() -> None:
    low, high = (float(place.split(",")[1]) for place in plot_points.sparkline([1, 5]).line.split())
    assert high < low
