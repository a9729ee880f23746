"""A circuit breaker: leaves a backend alone that fails, or that has become too slow.

closed ──── too many of the last calls failed or were slow ────▶ open
  ▲                                                               │ some seconds
  └───── the probe went well ──── half open: one probe ◀──────────┘
                                      └── it failed ──▶ open
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

import structlog

log = structlog.get_logger()

_BUCKETS: Final = 10


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerLimits(NamedTuple):
    """When a breaker opens, and for how long."""

    window_s: float = 10.0
    """How far back calls count."""
    least_calls: int = 5
    """Fewer calls than that in the window say nothing."""
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_s: float = 2.0
    """A call that took longer was slow."""
    retry_after_s: float = 5.0
    """How long it stays open before a probe is let through."""


class Call:
    """A call that was let through; its end is to be told, once."""

    __slots__ = ("_breaker", "_era", "began")

    def __init__(self, breaker: Breaker, era: int, began: float) -> None:
        self._breaker = breaker
        self._era = era
        self.began = began

    def succeeded(self) -> None:
        """It went well, though perhaps slowly."""
        self._breaker._ended(self._era, self.began, failed=False)  # noqa: SLF001 - one idea, two classes

    def failed(self) -> None:
        """It did not."""
        self._breaker._ended(self._era, self.began, failed=True)  # noqa: SLF001


class _Bucket:
    """The calls that ended within a tenth of the window."""

    __slots__ = ("calls", "failed", "number", "slow")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = self.failed = self.slow = 0


class Breaker:
    """Counts how calls end; *name* is the backend's, for the log."""

    def __init__(self, name: str, limits: BreakerLimits, *, clock: Callable[[], float]) -> None:
        self._name = name
        self._limits = limits
        self._clock = clock
        self._era = 0  # goes up with every change: what began before one says nothing after it
        self._changed_at = clock()
        self._buckets: deque[_Bucket] = deque()
        self.state = State.CLOSED

    def begin(self) -> Call | None:
        """Let a call through, or None: leave the backend alone now."""
        if self.state is State.CLOSED:
            return Call(self, self._era, self._clock())
        if self.retry_in() > 0:
            return None
        # Its time is over, or that of a probe which never told how it ended.
        self._change(State.HALF_OPEN)
        return Call(self, self._era, self._clock())

    def retry_in(self) -> float:
        """Seconds until `begin` lets a call through."""
        if self.state is State.CLOSED:
            return 0.0
        return max(0.0, self._changed_at + self._limits.retry_after_s - self._clock())

    def _ended(self, era: int, began: float, *, failed: bool) -> None:
        if era != self._era:
            return
        now = self._clock()
        if self.state is State.HALF_OPEN:
            self._change(State.OPEN if failed else State.CLOSED)
            return
        bucket = self._bucket(now)
        bucket.calls += 1
        bucket.failed += failed
        slow = now - began > self._limits.slow_s
        bucket.slow += slow
        if failed or slow:  # good news never opens it
            self._judge()

    def _judge(self) -> None:
        calls = sum(bucket.calls for bucket in self._buckets)
        if calls < self._limits.least_calls:
            return
        failed = sum(bucket.failed for bucket in self._buckets) / calls
        slow = sum(bucket.slow for bucket in self._buckets) / calls
        if failed >= self._limits.failure_rate or slow >= self._limits.slow_rate:
            self._change(State.OPEN)

    def _bucket(self, now: float) -> _Bucket:
        """The newest bucket; those that left the window are forgotten."""
        number = int(now / self._limits.window_s * _BUCKETS)
        buckets = self._buckets
        while buckets and buckets[0].number <= number - _BUCKETS:
            buckets.popleft()
        if not buckets or buckets[-1].number < number:
            buckets.append(_Bucket(number))
        return buckets[-1]

    def _change(self, state: State) -> None:
        if state is not self.state:
            log.warning("breaker_changed", backend=self._name, state=state.value)
        self.state = state
        self._era += 1
        self._changed_at = self._clock()
        self._buckets.clear()
