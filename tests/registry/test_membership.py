"""A server is in the registry while it serves, and no registry can keep it from serving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from analytics.errors import Misconfigured, RegistryUnavailable
from analytics.registry.base import Replica
from analytics.registry.membership import Membership
from analytics.registry.memory import MemoryRegistry
from analytics.resources import clock
from analytics.testing.contracts.registry import ONE, told

BEAT_S = 0.01


class Moody(MemoryRegistry):
    """A registry that can be away."""

    def __init__(self) -> None:
        super().__init__(1000, clock=clock)
        self.away = False
        self.beats = 0

    async def announce(self, replica: Replica) -> None:
        self.beats += 1
        self._mood()
        await super().announce(replica)

    async def withdraw(self, address: str) -> None:
        self._mood()
        await super().withdraw(address)

    def _mood(self) -> None:
        if self.away:
            raise RegistryUnavailable("it is away")


class Refusing(Moody):
    """A registry that does not know us, and then does."""

    def _mood(self) -> None:
        if self.away:
            raise Misconfigured("the registry does not know us")


@pytest.fixture
def registry() -> Moody:
    return Moody()


def member(registry: Moody, describe: Callable[[], Replica] = lambda: ONE) -> Membership:
    return Membership(registry, describe, heartbeat_s=BEAT_S)


async def listed(registry: Moody, *wanted: Replica) -> None:
    while told(await registry.replicas()) != [*wanted]:
        await asyncio.sleep(BEAT_S)


async def test_it_is_listed_while_the_block_runs_as_it_is_then(registry: Moody) -> None:
    faults = ["log: it is full", ""]
    described = [
        Replica(address="a:1", modules=("ingest",), version="1", started_at=1, fault=fault)
        for fault in faults
    ]
    now = described[0]
    async with member(registry, lambda: now):
        await listed(registry, described[0])
        now = described[1]
        await listed(registry, described[1])
    assert await registry.replicas() == []


async def test_who_left_says_nothing_more(registry: Moody) -> None:
    async with member(registry) as membership:
        await listed(registry, ONE)
        membership.leave()
        await listed(registry)
        beats = registry.beats
        await asyncio.sleep(5 * BEAT_S)
        assert registry.beats == beats
        assert await registry.replicas() == []
        await registry.announce(ONE)
    assert told(await registry.replicas()) == [ONE], "leaving once is enough"


@pytest.mark.parametrize("registry", [Moody(), Refusing()], ids=["away", "refuses"])
async def test_a_registry_that_is_away_is_tried_again(registry: Moody) -> None:
    registry.away = True
    async with member(registry):
        while registry.beats < 3:
            await asyncio.sleep(BEAT_S)
        registry.away = False
        await listed(registry, ONE)
        registry.away = True
    assert told(await registry.replicas()) == [ONE], "its lease will end"
