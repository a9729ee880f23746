"""Dates are whole days of the site; moments are exact."""

from __future__ import annotations

import pytest

from analytics import time_span
from analytics.errors import Malformed

HOUR = 3_600_000
DAY = 24 * HOUR
NOV_24 = 1_795_478_400_000  # 2026-11-24T00:00Z


def test_a_date_is_a_whole_day_at_both_ends() -> None:
    assert time_span.of("2026-11-24", "2026-11-24", "Etc/UTC") == (NOV_24, NOV_24 + DAY)


def test_a_day_begins_where_the_site_is() -> None:
    start, end = time_span.of("2026-11-24", "2026-11-24", "Asia/Tehran")
    assert (start, end - start) == (NOV_24 - 3.5 * HOUR, DAY)


def test_a_day_of_the_clock_change_has_its_own_length() -> None:
    start, end = time_span.of("2026-10-25", "2026-10-25", "Europe/Berlin")
    assert end - start == 25 * HOUR


def test_a_moment_is_exact_and_may_bring_its_own_offset() -> None:
    start, end = time_span.of("2026-11-24T01:00+01:00", "2026-11-24T06:30:00.5", "Etc/UTC")
    assert (start, end) == (NOV_24, NOV_24 + 6.5 * HOUR + 500)


def test_an_end_left_out_is_open() -> None:
    assert time_span.of(None, None, "Etc/UTC") == time_span.ALWAYS


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "24.11.2026"])
def test_what_is_no_moment_says_what_one_looks_like(text: str) -> None:
    with pytest.raises(Malformed, match="a date like 2026-11-24"):
        time_span.of(None, text, "Etc/UTC")


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(Malformed, match="lies before"):
        time_span.of("2026-11-24", "2026-11-22", "Etc/UTC")
    for start in ("2026-11-24", "2026-11-24T00:00"):
        with pytest.raises(Malformed, match="lies before"):
            time_span.of(start, "2026-11-23", "Etc/UTC")  # the day right before is one, too
    assert time_span.of("2026-11-24", "2026-11-24T00:00", "Etc/UTC") == (NOV_24, NOV_24)
