"""A background loop goes on whatever its step raises, and everybody can see that it failed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from analytics.background import BackgroundLoop, BackgroundThread, LoopState
from analytics.errors import StoreUnavailable

FAST_S = 0.01


class Step:
    """A step that raises what it is given to raise, one error a time, and counts its calls."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = [*errors]
        self.calls = 0

    def blocking(self) -> None:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)

    async def __call__(self) -> None:
        self.blocking()


def loop_of(step: Callable[..., object], **options: object) -> BackgroundLoop:
    chosen = {"every_s": FAST_S, "meanwhile": "Nothing.", "longest_pause_s": FAST_S} | options
    return BackgroundLoop("test", step, **chosen)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


ERRORS = [
    OverflowError("date value out of range"),
    sqlite3.DatabaseError("disk I/O error"),
    StoreUnavailable("it is away"),
    asyncio.CancelledError("of something that the step awaited"),
    ExceptionGroup("two of nine", [KeyError("a"), StoreUnavailable("b")]),
    RecursionError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_a_loop_goes_on_after_any_error(error: BaseException) -> None:
    step = Step(error)
    with capture_logs() as logs:
        async with loop_of(step) as loop:
            await until(lambda: loop.state.successes > 1)
    (entry,) = [each for each in logs if each["event"] == "background_failed"]
    assert (entry["loop"], loop.state.failures, loop.state.failures_in_a_row) == ("test", 1, 0)
    assert [each["event"] for each in logs].count("background_recovered") == 1


@pytest.mark.parametrize(
    "error", [*(e for e in ERRORS if isinstance(e, Exception)), SystemExit(1)], ids=repr
)
def test_a_thread_goes_on_after_any_error(error: BaseException) -> None:
    step, done = Step(error), threading.Event()

    def watched() -> None:
        step.blocking()
        done.set()

    with BackgroundThread(
        "test", watched, every_s=FAST_S, meanwhile="Nothing.", longest_pause_s=FAST_S
    ) as thread:
        assert done.wait(20)
    assert (thread.state.failures, thread.state.failures_in_a_row) == (1, 0)


async def test_a_failing_loop_says_why_without_giving_the_text_of_an_unexpected_error() -> None:
    state = LoopState("test", meanwhile="Nothing.")
    assert (state.fault, state.code) == (None, None)
    state.failed(OverflowError("visitor 203.0.113.9"))
    assert state.code == "OverflowError"
    assert state.fault is not None
    assert "203.0.113.9" not in state.fault
    state.failed(StoreUnavailable("Ignite does not answer"))
    assert (state.fault, state.code) == ("Ignite does not answer", "store_unavailable")
    assert state.shown() == {
        "last_success": None,
        "failures_in_a_row": 2,
        "error": "store_unavailable",
    }


def test_an_error_that_comes_again_and_again_does_not_fill_the_log() -> None:
    state = LoopState("test", meanwhile="Nothing.")
    with capture_logs() as logs:
        for _ in range(1000):
            state.failed(StoreUnavailable("it is away"))
    assert [each["in_a_row"] for each in logs] == [2**n for n in range(10)]
    with capture_logs() as logs:
        state.failed(StoreUnavailable("it refuses"))
    assert len(logs) == 1, "another error is news"
    assert state.failures == 1001


def test_pauses_grow_up_to_a_bound_and_differ() -> None:
    random.seed(7)
    loop = loop_of(Step(), every_s=1.0, longest_pause_s=30.0)
    pauses = []
    for _ in range(12):
        loop.state.failed(StoreUnavailable("away"))
        pauses.append(loop.pause_s)
    bounds = [(0.5 * 2**n, 2**n) if 2**n < 30 else (15, 30) for n in range(12)]
    assert all(low <= each <= high for each, (low, high) in zip(pauses, bounds, strict=True))
    assert len({*pauses[6:]}) > 1
    loop.state.succeeded()
    loop.state.failed(StoreUnavailable("away"))
    assert loop.pause_s <= 1


async def test_a_step_without_period_runs_until_its_work_is_done() -> None:
    step = Step(ValueError("once"))
    loop = loop_of(step, every_s=None)
    for calls in (2, 3):
        loop.start()
        loop.start()  # it is running
        await until(lambda calls=calls: loop.state.successes == calls - 1)  # type: ignore[misc]
        await asyncio.sleep(5 * FAST_S)
        assert step.calls == calls


async def test_a_stop_ends_the_step_under_way_or_lets_it_finish() -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("finished")

    for finishes in (False, True):
        begun.clear()
        loop = loop_of(step, every_s=60)
        loop.start()
        await begun.wait()
        await loop.stop(finish_step=finishes)
        assert loop.state.failures == 0
    assert ended == ["cancelled", "finished"]


async def test_a_loop_can_be_woken_and_stopped_in_its_pause() -> None:
    step = Step()
    async with asyncio.timeout(20):
        async with loop_of(step, every_s=3600, longest_pause_s=3600) as loop:
            for calls in range(1, 4):
                await until(lambda calls=calls: step.calls == calls)  # type: ignore[misc]
                loop.wake()
    await loop.stop()
    loop.start()
    assert step.calls <= 4, "what was stopped does not begin again"


async def test_a_loop_that_another_part_of_the_program_cancels_is_seen() -> None:
    with capture_logs() as logs:
        async with loop_of(Step(), every_s=3600) as loop:
            await until(lambda: loop.state.successes == 1)
            assert loop._task is not None
            loop._task.cancel()
            await until(lambda: loop.state.error is not None)
    assert [each["loop"] for each in logs] == ["test"]
