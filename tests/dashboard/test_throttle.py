"""Guessing is slow; a person who knows the password is not held up."""

from __future__ import annotations

import pytest

from analytics.dashboard.throttle import Throttle
from analytics.errors import TooMany


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    clock = Clock()
    gate = Throttle(clock, burst=3, refill_ms=1000)
    for _ in range(3):
        gate.take("a")
    with pytest.raises(TooMany) as raised:
        gate.take("a")
    assert raised.value.retry_after == pytest.approx(1, rel=1e-5)
    clock.now = 1000
    gate.take("a")
    with pytest.raises(TooMany):
        gate.take("a")


def test_a_refused_attempt_does_not_lengthen_the_wait() -> None:
    clock = Clock()
    gate = Throttle(clock, burst=1, refill_ms=1000)
    gate.take("a")
    for _ in range(50):
        with pytest.raises(TooMany):
            gate.take("a")
    clock.now = 1000
    gate.take("a")


def test_one_name_does_not_use_up_another_ones_attempts() -> None:
    gate = Throttle(Clock(), burst=1)
    gate.take("a")
    gate.take("b")


def test_a_right_password_forgives_the_wrong_ones() -> None:
    gate = Throttle(Clock(), burst=1)
    gate.take("a")
    gate.forgive("a")
    gate.take("a")
