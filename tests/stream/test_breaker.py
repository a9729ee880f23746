"""The breaker: driven at random beside a plain model of what it promises."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from analytics.stream.breaker import Breaker, BreakerLimits, Call, State

LIMITS = BreakerLimits(
    window_s=10, least_calls=4, failure_rate=0.5, slow_rate=0.75, slow_s=2, retry_after_s=5
)


class BreakerMachine(RuleBasedStateMachine):
    """Remembers every end since the last change, and judges them all again each time."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker("test", LIMITS, clock=lambda: self.now)
        self.state = State.CLOSED
        self.changed_at = 0.0
        self.era: list[Call] = []  # the calls that may still say something
        self.ends: list[tuple[float, bool, bool]] = []

    def change(self, state: State) -> None:
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
        if self.state is not State.CLOSED:
            over = self.changed_at + LIMITS.retry_after_s - self.now <= 0
            assert (call is not None) == over
            if over:
                self.change(State.HALF_OPEN)
        assert self.state is not State.CLOSED or call is not None
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
        if call not in self.era:
            return  # it began before the last change: nobody listens to it
        if self.state is State.HALF_OPEN:
            self.change(State.OPEN if failed else State.CLOSED)
            return
        self.ends.append((self.now, failed, slow))
        recent = [end for end in self.ends if int(end[0]) > int(self.now) - 10]
        if len(recent) < LIMITS.least_calls or not (failed or slow):
            return
        bad = sum(end[1] for end in recent) / len(recent) >= LIMITS.failure_rate
        sluggish = sum(end[2] for end in recent) / len(recent) >= LIMITS.slow_rate
        if bad or sluggish:
            self.change(State.OPEN)

    @invariant()
    def it_is_in_the_state_that_it_should_be_in(self) -> None:
        assert self.breaker.state is self.state

    @invariant()
    def it_says_when_it_lets_a_call_through(self) -> None:
        if self.state is State.CLOSED:
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
    breaker = Breaker("test", LIMITS, clock=clock)
    for _ in range(LIMITS.least_calls):
        call = breaker.begin()
        assert call is not None
        call.failed()
    assert breaker.state is State.OPEN
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
    assert breaker.state is State.CLOSED
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
    assert breaker.state is State.HALF_OPEN, "only the probe under way says something"
    second.failed()
    assert breaker.state is State.OPEN


def test_calls_that_are_slow_open_it_though_they_end_well() -> None:
    clock = Clock()
    breaker = Breaker("test", LIMITS, clock=clock)
    calls = [breaker.begin() for _ in range(LIMITS.least_calls)]
    clock.now += LIMITS.slow_s + 0.1
    for call in calls:
        assert call is not None
        call.succeeded()
    assert breaker.state is State.OPEN
