"""What the figures lack is told when it is much, or old, and not when it is the usual moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.query import Metric, Period, Query
from analytics.store.duckdb import DuckDBStore
from analytics.store.freshness import Freshness
from analytics.store.lag import MANY, STALE_MS, Lag, LagGauge

START = 1_000_000


class Log:
    """A log and the figures made of it, at a moment that the test sets."""

    def __init__(self) -> None:
        self.now, self.end, self.counted = START, 0, 0
        self.freshness = Freshness(self.ends, lambda: {0: self.counted}, lambda: self.now)
        self.gauge = LagGauge(self.freshness, lambda: self.end - self.counted, lambda: self.now)

    async def ends(self) -> dict[int, int]:
        return {0: self.end}


@pytest.fixture
def log() -> Log:
    return Log()


async def test_the_hits_of_the_last_moment_are_not_worth_a_word(log: Log) -> None:
    log.end = MANY - 1
    log.now += STALE_MS
    assert log.gauge.lag() is None


async def test_a_backlog_is_told_at_once(log: Log) -> None:
    await log.freshness.look()
    log.end, log.now = 92_000, START + 500
    assert log.gauge.lag() == Lag(92_000, START)
    log.counted = 92_000
    assert log.gauge.lag() is None


async def test_a_single_hit_that_waits_too_long_is_told(log: Log) -> None:
    await log.freshness.look()
    log.end, log.now = 1, START + STALE_MS + 1
    assert log.gauge.lag() == Lag(1, START)


async def test_of_an_idle_hour_nothing_is_told(log: Log) -> None:
    log.end = log.counted = 5
    log.now += 3_600_000
    assert log.gauge.lag() is None


async def test_it_is_known_how_many_are_missing(log: Log) -> None:
    assert log.freshness.missing == 0
    log.end = 7
    await log.freshness.look()
    log.counted = 3
    assert log.freshness.missing == 4


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(tmp_path / "store.duckdb", lag=lambda: Lag(92_000, START)) as store:
        yield store


async def test_an_answer_says_what_it_lacks(behind: DuckDBStore) -> None:
    period = Period(0, START, "Etc/UTC")
    query = Query(site="a.example", metrics=(Metric.VISITORS,), period=period)
    result = await behind.query(query)
    assert (result.as_of, result.waiting) == (START, 92_000)
