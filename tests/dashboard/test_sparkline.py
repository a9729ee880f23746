"""Sparklines stay inside their box."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.dashboard.sparkline import HEIGHT, WIDTH, sparkline


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=48))
def test_every_point_lies_in_the_box(values: list[int]) -> None:
    for place in sparkline(values).line.split():
        x, y = map(float, place.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_more_is_higher() -> None:
    low, high = (float(place.split(",")[1]) for place in sparkline([1, 5]).line.split())
    assert high < low
