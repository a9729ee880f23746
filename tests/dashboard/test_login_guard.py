"""A guesser waits, whatever addresses they have; the people of an account do not."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from analytics import bounds
from analytics.dashboard.login_guard import LoginGuard
from analytics.dashboard.throttle import Throttle
from analytics.errors import TooMany, Unauthenticated

ADA = "ada@example.com"
WRONG = Unauthenticated("wrong")


class Door:
    """An entrance whose time is the test's: what would sleep moves its clock."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.slept: list[float] = []
        self.entrance = LoginGuard(Throttle(self.clock), self.clock, self.sleep)
        self.held = asyncio.Event()
        self.held.set()

    def clock(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.held.wait()

    async def guess(self, network: str, email: str = ADA, device: str | None = None) -> str:
        try:
            async with self.entrance.attempt(email, network, device):
                raise WRONG
        except TooMany:
            return "refused"
        except Unauthenticated:
            return "wrong"

    async def enter(self, network: str, device: str | None = None, email: str = ADA) -> bool:
        async with self.entrance.attempt(email, network, device) as at_home:
            return at_home


async def test_an_account_is_never_refused_to_its_owner_for_what_strangers_did() -> None:
    door = Door()
    guesses = [await door.guess(f"198.51.100.{n}") for n in range(200)]
    assert set(guesses) == {"wrong"}
    door.slept.clear()
    assert await door.enter("203.0.113.7") is False
    assert len(door.slept) == 1
    assert 0 < door.slept[0] <= 10


async def test_strangers_wait_longer_with_each_guess_however_many_they_are() -> None:
    door = Door()
    for number in range(40):
        await door.guess(f"198.51.100.{number}")
    assert len(door.slept) == 30
    assert door.slept[:3] == [1, 2, 3]
    assert door.slept[-1] == max(door.slept) == 10


async def test_one_network_has_few_guesses() -> None:
    door = Door()
    guesses = [await door.guess("198.51.100.1", f"{n}@example.com") for n in range(20)]
    assert guesses == ["wrong"] * 10 + ["refused"] * 10


async def test_who_knows_a_password_buys_no_guesses_at_another_with_it() -> None:
    door = Door()
    for _ in range(10):
        await door.guess("198.51.100.1")
    with pytest.raises(TooMany):
        await door.enter("198.51.100.1", email="mallory@example.com")
    other = Door()
    for number in range(30):
        await other.guess("198.51.100.1", f"{number}@example.com")
        with contextlib.suppress(TooMany):
            await other.enter("198.51.100.1", email="mallory@example.com")
    assert await other.guess("198.51.100.1") == "refused"


async def test_a_familiar_device_or_network_neither_waits_nor_is_used_up_by_others() -> None:
    door = Door()
    await door.enter("203.0.113.7")
    for number in range(100):
        await door.guess(f"198.51.100.{number}")
    door.slept.clear()
    assert await door.enter("203.0.113.7") is True
    assert await door.enter("192.0.2.1", device="phone") is True
    assert door.slept == []


async def test_a_familiar_device_cannot_guess_for_ever_either() -> None:
    door = Door()
    guesses = [await door.guess(f"198.51.100.{n}", device="phone") for n in range(12)]
    assert guesses == ["wrong"] * 10 + ["refused"] * 2
    assert await door.enter("203.0.113.7", device="laptop") is True


async def test_a_network_is_familiar_to_one_account_alone() -> None:
    door = Door()
    await door.enter("203.0.113.7")
    assert await door.enter("203.0.113.7", email="bob@example.com") is False


async def test_one_network_has_few_attempts_under_way() -> None:
    door = Door()
    for number in range(30):
        await door.guess(f"198.51.100.{number}")
    door.held.clear()
    wave = [asyncio.create_task(door.guess("192.0.2.1")) for _ in range(300)]
    await asyncio.sleep(0)
    door.held.set()
    assert sorted(await asyncio.gather(*wave)) == ["refused"] * 296 + ["wrong"] * 4


async def test_no_more_wait_than_there_is_room_for() -> None:
    door = Door()
    for number in range(30):
        await door.guess(f"198.51.100.{number}")
    door.held.clear()
    wave = [asyncio.create_task(door.guess(f"10.{n >> 8}.{n & 255}.1")) for n in range(2000)]
    await asyncio.sleep(0)
    assert await door.enter("192.0.2.1", device="phone") is True
    door.held.set()
    ended = await asyncio.gather(*wave)
    assert (ended.count("wrong"), ended.count("refused")) == (500, 1500)


async def test_the_wait_is_over_when_the_attack_is() -> None:
    door = Door()
    for number in range(1000):
        await door.guess(f"10.0.{number >> 8}.{number & 255}")
    door.now_ms += 5 * 60_000
    door.slept.clear()
    await door.enter("203.0.113.7")
    assert door.slept == []


async def test_a_network_of_ipv6_has_few_guesses_however_many_customers_it_claims_to_be() -> None:
    door = Door()
    guesses = [await door.guess(f"2001:db8:7:{n:x}::1", f"{n}@example.com") for n in range(500)]
    assert guesses.count("wrong") == 10 * bounds.NETWORK_SHARE
    assert await door.guess("2001:db8:8::1") == "wrong", "another network is not held up"


async def test_a_customer_of_ipv6_has_as_few_guesses_as_an_address() -> None:
    door = Door()
    guesses = [await door.guess(f"2001:db8::{n:x}", f"{n}@example.com") for n in range(20)]
    assert guesses == ["wrong"] * 10 + ["refused"] * 10


async def test_right_passwords_use_up_no_guesses_of_a_network() -> None:
    door = Door()
    for number in range(200):
        address, email = f"2001:db8:7:{number:x}::1", f"{number}@example.com"
        assert await door.enter(address, email=email) is False
