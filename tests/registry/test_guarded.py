"""A registry that is away or hangs is left alone, and says so in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from analytics.breaker import BreakerState
from analytics.errors import RegistryUnavailable
from analytics.registry.base import Listed, Registry
from analytics.registry.guarded import GuardedRegistry, guard
from analytics.registry.memory import MemoryRegistry
from analytics.resources import clock
from analytics.testing.contracts.registry import LEASE_S, ONE, RegistryContract, told


class Hanging(MemoryRegistry):
    """A registry that does not answer while it hangs; it counts who asks."""

    hangs = False
    asked = 0

    async def replicas(self) -> Sequence[Listed]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        return await super().replicas()


class TestGuardedRegistry(RegistryContract):
    @pytest.fixture
    def registries(self) -> tuple[Registry, Registry]:
        registry = MemoryRegistry(LEASE_S, clock=clock)
        one = GuardedRegistry(registry, guard(retry_after_s=1))
        return one, GuardedRegistry(registry, guard(retry_after_s=1))


async def test_one_that_hangs_is_given_up_and_then_left_alone_for_a_while() -> None:
    registry = Hanging(1000, clock=clock)
    watch = guard(retry_after_s=0.2)
    guarded = GuardedRegistry(registry, watch, timeout_s=0.01)
    await guarded.announce(ONE)
    registry.hangs = True
    while watch.breaker.state is BreakerState.CLOSED:
        with pytest.raises(RegistryUnavailable, match=r"takes longer than 0\.01 s"):
            await guarded.replicas()
    asked = registry.asked
    with pytest.raises(RegistryUnavailable, match="registry is left alone"):
        await guarded.replicas()
    assert registry.asked == asked
    registry.hangs = False
    async with asyncio.timeout(10):
        while watch.breaker.state is not BreakerState.CLOSED:
            await asyncio.sleep(0.02)
            try:
                listed = await guarded.replicas()
            except RegistryUnavailable:
                continue
    assert told(listed) == [ONE]
