"""A limit a second and a burst, for each address by itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import bounds
from analytics.errors import TooMany
from analytics.limiter import Limiter, Limits
from analytics.person import Key, Scope


class Clock:
    """A clock that stands still until it is moved, by parts that a float holds exactly."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: Limiter, times: int, address: str = "203.0.113.9") -> int:
    return sum(not limiter.wait(address) for _ in range(times))


def test_a_burst_is_admitted_at_once_and_not_one_more() -> None:
    assert admitted(Limiter(10, 5, Clock()), 100) == 5


def test_then_as_many_as_the_rate_says() -> None:
    clock = Clock()
    limiter = Limiter(10, 5, clock)
    admitted(limiter, 100)
    clock.now += 0.1
    assert admitted(limiter, 100) == 1
    clock.now += 0.25
    assert admitted(limiter, 100) == 2
    clock.now += 3600
    assert admitted(limiter, 100) == 5


def test_one_address_does_not_pay_for_another() -> None:
    limiter = Limiter(1, 1, Clock())
    assert admitted(limiter, 9, "203.0.113.1") == 1
    assert admitted(limiter, 9, "203.0.113.2") == 1


def test_a_rate_of_0_knows_no_limit() -> None:
    assert admitted(Limiter(0, 1, Clock()), 50) == 50


def test_who_comes_too_early_is_told_by_how_much() -> None:
    clock = Clock()
    limiter = Limiter(0.25, 1, clock)
    assert limiter.wait("a") == 0
    assert 3.9 < limiter.wait("a") <= 4
    clock.now += 4
    assert limiter.wait("a") == 0


@dataclass(frozen=True)
class Asking:
    """Somebody who asks from an address."""

    address: str
    here: bool = False


KEY = Key(id="k1", scopes=(Scope.STATS_READ,), site=None, created_at=0)


def limits(address: float, key: float) -> Limits:
    return Limits(Limiter(address, 1, Clock()), Limiter(key, 1, Clock()))


def test_addresses_and_keys_are_counted_apart() -> None:
    both = limits(1, 0.1)
    both.check_address(Asking("203.0.113.1"))
    both.check_address(Asking("203.0.113.2"))
    both.check_key(KEY, Asking("203.0.113.1"))
    with pytest.raises(TooMany, match="address") as refused:
        both.check_address(Asking("203.0.113.1"))
    assert refused.value.retry_after == pytest.approx(1, rel=1e-5)
    with pytest.raises(TooMany, match="key") as refused:
        both.check_key(KEY, Asking("203.0.113.2"))
    assert refused.value.retry_after == pytest.approx(10, rel=1e-5)


def test_this_machine_knows_no_limit() -> None:
    both, here = limits(1, 1), Asking("127.0.0.1", here=True)
    for _ in range(50):
        both.check_address(here)
        both.check_key(KEY, here)


def test_an_address_of_this_machine_that_only_a_header_names_has_limits() -> None:
    both = limits(1, 1)
    both.check_address(Asking("127.0.0.1"))
    with pytest.raises(TooMany):
        both.check_address(Asking("127.0.0.1"))


def test_work_is_counted_by_what_it_takes() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock)
    assert not limiter.wait("a", 7)
    assert not limiter.wait("a", 3)
    assert limiter.wait("a")
    clock.now += 3
    assert limiter.wait("a", 4) == pytest.approx(1, rel=1e-5)
    assert not limiter.wait("a", 3)


def test_more_than_the_burst_at_once_is_owed_afterwards() -> None:
    clock = Clock()
    limiter = Limiter(1, 10, clock)
    assert not limiter.wait("a", 100)
    assert limiter.wait("a") == pytest.approx(91, rel=1e-5)
    clock.now += 99
    assert limiter.wait("a", 100) == pytest.approx(1, rel=1e-5)


def test_a_network_of_ipv6_has_one_budget_for_all_customers_in_it() -> None:
    both = Limits.of(0.001, 3, Limiter(0, 1))
    admitted = 0
    for number in range(200):  # each of another /64
        with suppress(TooMany):
            both.check_address(Asking(f"2001:db8:1:{number:x}::1"))
            admitted += 1
    assert admitted == 3 * bounds.NETWORK_SHARE
    both.check_address(Asking("2001:db8:2::1"))


def test_it_remembers_no_more_addresses_than_it_has_room_for() -> None:
    clock = Clock()
    limiter = Limiter(1, 1, clock, names=10)
    for number in range(10):
        assert not limiter.wait(f"10.0.0.{number}")
    clock.now += 0.5
    assert limiter.wait("10.0.0.3")
    for number in range(10, 40):
        assert not limiter.wait(f"10.0.0.{number}")
        assert len(limiter._due) <= 10


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("2001:db8::1", "2001:0DB8:0:0:5::%eth0", True),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
        ("::ffff:203.0.113.1", "::ffff:203.0.113.2", False),
        ("203.0.113.1", "203.0.113.2", False),
    ],
)
def test_a_customer_of_ipv6_is_one_sender(one: str, other: str, *, same: bool) -> None:
    both = limits(1, 1)
    both.check_address(Asking(one))
    if same:
        with pytest.raises(TooMany):
            both.check_address(Asking(other))
    else:
        both.check_address(Asking(other))


def test_of_too_many_names_the_one_that_came_longest_ago_is_forgotten() -> None:
    limiter = Limiter(1, 2, Clock(), names=3)
    for name in ("a", "b", "c", "a", "d"):  # b goes
        assert not limiter.wait(name)
    assert limiter.wait("a")
    assert not limiter.wait("b")


def test_names_of_any_length_take_little_room() -> None:
    limiter = Limiter(1, 1, Clock())
    assert not limiter.wait("x" * 60_000)
    assert limiter.wait("x" * 60_000)
    assert max(map(len, limiter._due)) < 300


@given(
    st.sampled_from([0.5, 1.0, 8.0, 100.0]),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 64), st.integers(1, 40)), max_size=30),
)
def test_no_stretch_of_time_holds_more_than_burst_and_rate(
    rate: float, burst: int, moves: list[tuple[int, int]]
) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock)
    began: list[float] = []
    for eighths, asked in moves:
        clock.now += eighths / 8
        before = len(began)
        began += [clock.now] * admitted(limiter, asked)
        if eighths / 8 * rate >= burst:  # it had the time to forget everything
            assert len(began) - before == min(asked, burst)
    for i, start in enumerate(began):
        for j in range(i, len(began)):
            assert j - i + 1 <= burst + rate * (began[j] - start) + 1e-3
