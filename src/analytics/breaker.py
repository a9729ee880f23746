"""A circuit breaker: stops calling a backend that fails, or that has become too slow.

closed ──── too many of the last calls failed or were slow ────▶ open
  ▲                                                               │ some seconds
  └───── the probe went well ──── half open: one probe ◀──────────┘
                                      └── it failed ──▶ open
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

import structlog

log = structlog.get_logger()

_BUCKETS: Final = 10


class BreakerState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CallOutcome(StrEnum):
    """How a call ended, or why it was not made."""

    SUCCEEDED = "succeeded"
    SLOW = "slow"
    """It succeeded, and took too long."""
    FAILED = "failed"
    REFUSED = "refused"
    """The breaker was open."""
    CROWDED_OUT = "crowded-out"
    """As many calls as allowed were under way already."""


class BreakerLimits(NamedTuple):
    """When a breaker opens, and for how long."""

    window_s: float = 10.0
    """The window, in seconds, in which calls count."""
    least_calls: int = 5
    """The least number of calls in the window for which the rates count."""
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_s: float = 2.0
    """A call that takes longer counts as slow."""
    retry_after_s: float = 5.0
    """How long it stays open before a probe is let through."""
    in_a_row: int = 0
    """This many failures in a row open it, whatever the rate; with 0, no number does.

    They show that a busy backend has died before the window has passed.
    """


class Call:
    """A call that was let through. Report its outcome exactly once."""

    __slots__ = ("_breaker", "_era", "began")

    def __init__(self, breaker: Breaker, era: int, began: float) -> None:
        self._breaker = breaker
        self._era = era
        self.began = began

    def succeeded(self) -> None:
        """Report success, however slow."""
        self._breaker._ended(self._era, self.began, failed=False)  # noqa: SLF001 - one idea, two classes

    def failed(self, fault: str = "") -> None:
        """Report failure; *fault* is the reason, for people."""
        self._breaker.fault = fault
        self._breaker._ended(self._era, self.began, failed=True)  # noqa: SLF001


class _Bucket:
    """The calls that ended within a tenth of the window."""

    __slots__ = ("calls", "failed", "number", "slow")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = self.failed = self.slow = 0


class Breaker:
    """Counts how calls of one *backend* end.

    *degraded* is a sentence about what the open breaker means for answers. Not thread-safe: see
    `Guard`.
    """

    def __init__(
        self,
        backend: str,
        degraded: str,
        limits: BreakerLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.backend = backend
        self.degraded = degraded
        self._limits = limits or BreakerLimits()
        self._clock = clock
        self._era = 0
        """Incremented with every change of state: calls begun before it no longer count."""
        self._changed_at = clock()
        self._buckets: deque[_Bucket] = deque()
        self._in_a_row = 0
        self.state = BreakerState.CLOSED
        self.fault = ""
        """The reason why the last failed call failed."""
        self.opened = 0
        """How often it has opened."""
        self.outcomes: Counter[CallOutcome] = Counter()

    def begin(self) -> Call | None:
        """Return a call to make now; None while the backend must be left alone."""
        if self.state is BreakerState.CLOSED:
            return Call(self, self._era, self._clock())
        if self.retry_in() > 0:
            self.outcomes[CallOutcome.REFUSED] += 1
            return None
        # The pause is over, or the probe never reported its outcome.
        self._change(BreakerState.HALF_OPEN)
        return Call(self, self._era, self._clock())

    def retry_in(self) -> float:
        """Return the seconds until `begin` lets a call through."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return max(0.0, self._changed_at + self._limits.retry_after_s - self._clock())

    def trip(self, fault: str) -> None:
        """Open it at once, because the backend is known to be unusable."""
        self.fault = fault
        self._change(BreakerState.OPEN)

    def age_s(self) -> float:
        """The time in seconds since the last change of state."""
        return self._clock() - self._changed_at

    def _ended(self, era: int, began: float, *, failed: bool) -> None:
        now = self._clock()
        slow = now - began > self._limits.slow_s
        self.outcomes[
            CallOutcome.FAILED if failed else CallOutcome.SLOW if slow else CallOutcome.SUCCEEDED
        ] += 1
        if era != self._era:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._change(BreakerState.OPEN if failed else BreakerState.CLOSED)
            return
        self._in_a_row = self._in_a_row + 1 if failed else 0
        bucket = self._bucket(now)
        bucket.calls += 1
        bucket.failed += failed
        bucket.slow += slow
        if failed or slow:  # a success never opens it
            self._judge()

    def _judge(self) -> None:
        limits = self._limits
        if 0 < limits.in_a_row <= self._in_a_row:
            self._change(BreakerState.OPEN)
            return
        calls = sum(bucket.calls for bucket in self._buckets)
        if calls < limits.least_calls:
            return
        failed = sum(bucket.failed for bucket in self._buckets) / calls
        slow = sum(bucket.slow for bucket in self._buckets) / calls
        if failed >= limits.failure_rate or slow >= limits.slow_rate:
            self._change(BreakerState.OPEN)

    def _bucket(self, now: float) -> _Bucket:
        """Return the newest bucket, and drop those that left the window."""
        number = int(now / self._limits.window_s * _BUCKETS)
        buckets = self._buckets
        while buckets and buckets[0].number <= number - _BUCKETS:
            buckets.popleft()
        if not buckets or buckets[-1].number < number:
            buckets.append(_Bucket(number))
        return buckets[-1]

    def _change(self, state: BreakerState) -> None:
        if state is not self.state:
            log.warning("breaker_changed", backend=self.backend, state=state.value)
        self.state = state
        self.opened += state is BreakerState.OPEN
        self._in_a_row = 0
        self._era += 1
        self._changed_at = self._clock()
        self._buckets.clear()
