"""Up to when everything that the log held is in the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from analytics.errors import LogUnavailable
from analytics.store.freshness import Freshness


class Log:
    """A log, what of it is in the figures, and the time; all set by hand."""

    def __init__(self) -> None:
        self.now = 1_000
        self.ends: Mapping[int, int] = {0: 0, 1: 0}
        self.here: Mapping[int, int] = {}
        self.away = False
        self.asked = 0

    async def told(self) -> Mapping[int, int]:
        self.asked += 1
        if self.away:
            raise LogUnavailable("nobody answers")
        return dict(self.ends)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def freshness(log: Log) -> Freshness:
    return Freshness(log.told, lambda: log.here, lambda: log.now, every_s=0.01)


async def test_a_log_with_nothing_new_is_complete_at_every_look(
    log: Log, freshness: Freshness
) -> None:
    assert freshness.complete_at == 0
    for moment in (1_000, 5_000, 90_000):
        log.now = moment
        await freshness.look()
        assert freshness.complete_at == moment


async def test_figures_that_stand_still_are_as_old_as_the_last_look_they_reached(
    log: Log, freshness: Freshness
) -> None:
    await freshness.look()
    log.ends = {0: 3, 1: 0}
    for moment in (2_000, 3_000):
        log.now = moment
        await freshness.look()
    log.ends = {0: 3, 1: 5}
    log.now = 4_000
    await freshness.look()
    assert freshness.complete_at == 1_000
    log.here = {0: 2, 1: 9}
    assert freshness.complete_at == 1_000
    log.here = {0: 3, 1: 4}
    assert freshness.complete_at == 3_000
    log.here = {0: 3, 1: 5}
    assert freshness.complete_at == 4_000


async def test_a_log_that_does_not_answer_makes_nothing_complete(
    log: Log, freshness: Freshness
) -> None:
    await freshness.look()
    log.away = True
    log.now = 60_000
    with pytest.raises(LogUnavailable):
        await freshness.look()
    assert freshness.complete_at == 1_000
    log.away = False
    await freshness.look()
    assert freshness.complete_at == 60_000


async def test_however_long_they_stand_still_what_is_noted_has_a_bound(
    log: Log, freshness: Freshness
) -> None:
    log.ends = {0: 1}
    for moment in range(1_000):
        log.now = moment
        await freshness.look()
    assert len(freshness._noted) <= 100
    log.here = {0: 1}
    assert freshness.complete_at == 999


async def test_it_asks_again_and_again_while_its_block_runs(log: Log, freshness: Freshness) -> None:
    log.away = True
    async with freshness:
        while log.asked < 3:
            await asyncio.sleep(0.001)
        log.away = False
        while not freshness.complete_at:
            await asyncio.sleep(0.001)
    asked = log.asked
    await asyncio.sleep(0.03)
    assert log.asked == asked
