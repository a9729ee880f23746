"""A guard lets only so many calls through, and none to what is left alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics.breaker import Breaker, BreakerLimits, BreakerState, CallOutcome
from analytics.errors import BulkheadFull, CircuitOpen, Misconfigured, StoreUnavailable
from analytics.guard import Guard

LIMITS = BreakerLimits(in_a_row=3, retry_after_s=60)


@pytest.fixture
def guard() -> Guard:
    return Guard(Breaker("shelf", "from memory", LIMITS), most=2)


def fail(guard: Guard, error: Exception) -> None:
    with pytest.raises(type(error)), guard.call():
        raise error


def test_a_backend_that_fails_is_left_alone_and_it_is_said_why(guard: Guard) -> None:
    fail(guard, StoreUnavailable("the shelf is empty"))
    fail(guard, TimeoutError("it took 5 s"))
    fail(guard, ConnectionRefusedError("nobody listens"))
    assert guard.breaker.state is BreakerState.OPEN
    left_alone = pytest.raises(CircuitOpen, match=r"shelf is left alone.*nobody listens")
    with left_alone as refused, guard.call():
        pytest.fail("it was let through")
    assert 0 < refused.value.retry_after <= 60


def test_an_answer_that_we_do_not_like_is_an_answer(guard: Guard) -> None:
    for _ in range(5):
        fail(guard, Misconfigured("it does not know us"))
    assert guard.breaker.state is BreakerState.CLOSED
    assert guard.breaker.outcomes == {CallOutcome.SUCCEEDED: 5}


def test_who_gives_up_waiting_says_nothing_about_the_backend(guard: Guard) -> None:
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt), guard.call():
            raise KeyboardInterrupt
    assert not guard.breaker.outcomes
    with guard.call(), guard.call():
        pass  # and its place is free again


def test_only_so_many_calls_are_under_way_at_once(guard: Guard) -> None:
    go_on, under_way = threading.Event(), threading.Barrier(3)

    def call() -> None:
        with guard.call():
            under_way.wait(20)
            go_on.wait(20)

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(call) for _ in range(2)]
        under_way.wait(20)
        with pytest.raises(BulkheadFull, match="2 calls are under way"), guard.call():
            pytest.fail("it was let through")
        go_on.set()
        for each in calls:
            each.result()
    with guard.call():
        pass
    assert guard.breaker.outcomes[CallOutcome.CROWDED_OUT] == 1
    assert guard.breaker.state is BreakerState.CLOSED, "our own crowd is no fault of the backend"
