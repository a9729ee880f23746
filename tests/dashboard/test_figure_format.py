"""Figures read as people write them."""

from __future__ import annotations

import pytest

from analytics.dashboard import figure_format
from analytics.dashboard.figure_format import FigureChange
from analytics.query import Metric


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (99_950, "100k"),
        (123_456, "123k"),
        (999_499, "999k"),
        (999_999, "1M"),
        (4_560_000, "4.6M"),
        (7_800_000_000, "7.8B"),
    ],
)
def test_a_count_is_short(value: int, text: str) -> None:
    assert figure_format.short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.5, "1m 00s"), (185, "3m 05s"), (7800, "2h 10m")],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert figure_format.duration(seconds) == text


def test_no_value_is_a_dash_and_not_zero() -> None:
    assert figure_format.read(Metric.SCROLL_DEPTH, None) == "–"


def test_a_figure_in_full_has_every_digit() -> None:
    assert figure_format.exact(Metric.PAGEVIEWS, 1_234_567) == "1,234,567"


@pytest.mark.parametrize(
    ("metric", "now", "before", "change"),
    [
        (Metric.VISITORS, 120, 100, FigureChange("20%", "up", "good")),
        (Metric.VISITORS, 80, 100, FigureChange("20%", "down", "bad")),
        (Metric.VISITORS, 100, 100, FigureChange("0%", "flat", "flat")),
        (Metric.VISITORS, 5, 0, None),
        (Metric.VISITORS, 0, 0, None),
        (Metric.VISITORS, 5, None, None),
        (Metric.BOUNCE_RATE, 40, 43, FigureChange("3 pts", "down", "good")),
        (Metric.BOUNCE_RATE, 44, 43, FigureChange("1 pt", "up", "bad")),
    ],
)
def test_a_change_says_by_how_much_and_whether_it_is_good(
    metric: Metric, now: int, before: int | None, change: FigureChange | None
) -> None:
    assert figure_format.change(metric, now, before) == change
