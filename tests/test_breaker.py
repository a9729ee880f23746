"""The breaker: driven at random beside a plain model of what it promises."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from analytics.breaker import Breaker, BreakerLimits, BreakerState, Call, CallOutcome

LIMITS = BreakerLimits(
    window_s=10,
    least_calls=6,
    failure_rate=0.5,
    slow_rate=0.75,
    slow_s=2,
    retry_after_s=5,
    in_a_row=4,
)


class BreakerMachine(RuleBasedStateMachine):
    """Remembers every end since the last change, and judges them all again each time."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker("test", "we guess", LIMITS, clock=lambda: self.now)
        self.state = BreakerState.CLOSED
        self.changed_at = 0.0
        self.era: list[Call] = []  # the calls that may still say something
        self.ends: list[tuple[float, bool, bool]] = []
        self.outcomes: Counter[CallOutcome] = Counter()
        self.opened = 0

    def change(self, state: BreakerState) -> None:
        self.opened += state is BreakerState.OPEN
        self.state = state
        self.changed_at = self.now
        self.era = []
        self.ends = []

    @rule(seconds=st.sampled_from([0.125, 0.5, 1.0, 2.5, 4.875, 5.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=calls)
    def begin(self) -> Call | None:
        call = self.breaker.begin()
        if self.state is not BreakerState.CLOSED:
            over = self.changed_at + LIMITS.retry_after_s - self.now <= 0
            assert (call is not None) == over
            self.outcomes[CallOutcome.REFUSED] += not over
            if over:
                self.change(BreakerState.HALF_OPEN)
        assert self.state is not BreakerState.CLOSED or call is not None
        if call is not None:
            self.era.append(call)
        return call

    @rule(call=consumes(calls), failed=st.booleans())
    def end(self, call: Call | None, *, failed: bool) -> None:
        if call is None:
            return
        slow = self.now - call.began > LIMITS.slow_s
        if failed:
            call.failed()
        else:
            call.succeeded()
        well = CallOutcome.SLOW if slow else CallOutcome.SUCCEEDED
        self.outcomes[CallOutcome.FAILED if failed else well] += 1
        if call not in self.era:
            return  # it began before the last change: nobody listens to it
        if self.state is BreakerState.HALF_OPEN:
            self.change(BreakerState.OPEN if failed else BreakerState.CLOSED)
            return
        self.ends.append((self.now, failed, slow))
        last = self.ends[-LIMITS.in_a_row :]
        if len(last) == LIMITS.in_a_row and all(end[1] for end in last):
            self.change(BreakerState.OPEN)
            return
        recent = [end for end in self.ends if int(end[0]) > int(self.now) - 10]
        if len(recent) < LIMITS.least_calls or not (failed or slow):
            return
        bad = sum(end[1] for end in recent) / len(recent) >= LIMITS.failure_rate
        sluggish = sum(end[2] for end in recent) / len(recent) >= LIMITS.slow_rate
        if bad or sluggish:
            self.change(BreakerState.OPEN)

    @invariant()
    def it_is_in_the_state_that_it_should_be_in(self) -> None:
        assert self.breaker.state is self.state
        assert self.breaker.age_s() == self.now - self.changed_at

    @rule()
    def it_is_told_that_the_backend_is_of_no_use(self) -> None:
        self.breaker.trip("broken")
        self.change(BreakerState.OPEN)

    @invariant()
    def it_counts_every_end(self) -> None:
        assert self.breaker.outcomes == self.outcomes
        assert self.breaker.opened == self.opened

    @invariant()
    def it_says_when_it_lets_a_call_through(self) -> None:
        if self.state is BreakerState.CLOSED:
            assert self.breaker.retry_in() == 0
        else:
            assert 0 <= self.breaker.retry_in() <= LIMITS.retry_after_s


TestBreaker = BreakerMachine.TestCase


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker("test", "we guess", LIMITS, clock=clock)
    for _ in range(LIMITS.in_a_row):
        call = breaker.begin()
        assert call is not None
        call.failed("it burns")
    assert breaker.fault == "it burns"
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_an_open_breaker_lets_one_probe_through_after_its_time() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.begin() is None
    clock.now += LIMITS.retry_after_s
    probe = breaker.begin()
    assert probe is not None
    assert [breaker.begin() for _ in range(3)] == [None, None, None]
    probe.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.begin() is not None


def test_a_probe_that_never_ends_is_followed_by_another() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += LIMITS.retry_after_s
    lost = breaker.begin()
    assert lost is not None
    clock.now += LIMITS.retry_after_s
    second = breaker.begin()
    assert second is not None
    lost.succeeded()
    assert breaker.state is BreakerState.HALF_OPEN, "only the probe under way says something"
    second.failed()
    assert breaker.state is BreakerState.OPEN


def test_calls_that_are_slow_open_it_though_they_end_well() -> None:
    clock = Clock()
    breaker = Breaker("test", "we guess", LIMITS, clock=clock)
    calls = [breaker.begin() for _ in range(LIMITS.least_calls)]
    clock.now += LIMITS.slow_s + 0.1
    for call in calls:
        assert call is not None
        call.succeeded()
    assert breaker.state is BreakerState.OPEN


def test_a_backend_that_dies_after_a_busy_time_is_found_out_at_once() -> None:
    clock = Clock()
    breaker = Breaker("test", "we guess", LIMITS, clock=clock)
    for failed in [False] * 1000 + [True] * LIMITS.in_a_row:
        assert breaker.state is BreakerState.CLOSED
        call = breaker.begin()
        assert call is not None
        call.failed() if failed else call.succeeded()
    assert breaker.state is BreakerState.OPEN
