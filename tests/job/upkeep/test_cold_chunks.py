"""Which chunks may leave memory."""

from __future__ import annotations

from tests.job.upkeep.test_compaction import HOUR, Head, heads

from analytics.job.upkeep import cold_chunks

DAY = 24 * HOUR
NOW = 100 * DAY


def at(*days: float) -> list[Head]:
    return [
        each._replace(hour=round(day * DAY))
        for each, day in zip(heads(*range(10, 10 * len(days) + 10, 10)), days, strict=True)
    ]


def test_a_chunk_is_cold_when_the_one_after_it_is_old_too() -> None:
    given = at(96, 97, 97.5, 98, 99)
    assert cold_chunks.cold(given, 2, NOW) == given[:2]
    assert cold_chunks.cold(given, 1, NOW) == given[:3]


def test_the_newest_chunk_is_never_cold() -> None:
    assert cold_chunks.cold(at(1), 1, NOW) == []


def test_a_chunk_that_came_late_is_as_new_as_it_came() -> None:
    given = at(96, 99.5, 96, 96, 99)
    assert cold_chunks.cold(given, 1, NOW) == given[2:3]


def test_without_a_window_everything_stays() -> None:
    assert cold_chunks.cold(at(1, 2, 3), 0, NOW) == []
