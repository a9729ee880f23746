"""The contract of every `Registry`: subclass it, and provide a `registries` fixture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from analytics.registry.base import Listed, Registry, Replica

LEASE_S: Final = 2
"""The lease of the registries that the fixture gives."""
_WAIT_S: Final = 60
_BEAT_S: Final = 0.2

ONE: Final = Replica(
    address="10.0.0.1:8000",
    modules=("ingest", "dashboard"),
    version="1.2.3",
    started_at=1_700_000_000_000,
)
OTHER: Final = Replica(
    address="replica-2.internal:8000",
    modules=("admin",),
    version="1.2.4",
    started_at=1_700_000_000_001,
    fault="log: it is full",
)


class RegistryContract:
    """`registries` yields two open registries of one list, empty at first; they may be the same
    one.
    """

    async def test_at_first_nobody_is_there(self, registries: Sequence[Registry]) -> None:
        for each in registries:
            assert await each.replicas() == []

    async def test_what_a_replica_says_of_itself_the_others_hear(
        self, registries: Sequence[Registry]
    ) -> None:
        one, other = registries
        await other.announce(OTHER)
        await one.announce(ONE)
        assert told(await other.replicas()) == [ONE, OTHER]
        assert told(await one.replicas()) == [ONE, OTHER]
        assert all(each.seen_at > OTHER.started_at for each in await one.replicas())

    async def test_who_says_it_again_is_listed_once_as_it_is_now(
        self, registries: Sequence[Registry]
    ) -> None:
        one, other = registries
        for fault in ("", "", "log: it is full", ""):
            now = msgspec.structs.replace(ONE, fault=fault)
            await one.announce(now)
            assert told(await other.replicas()) == [now]

    async def test_who_leaves_is_gone_at_once(self, registries: Sequence[Registry]) -> None:
        one, other = registries
        await one.announce(ONE)
        await other.announce(OTHER)
        await one.withdraw(ONE.address)
        assert told(await other.replicas()) == [OTHER]
        await one.withdraw(ONE.address)
        assert told(await one.replicas()) == [OTHER]

    async def test_who_is_silent_for_a_lease_is_gone_and_may_come_again(
        self, registries: Sequence[Registry]
    ) -> None:
        one, other = registries
        await one.announce(ONE)
        async with asyncio.timeout(_WAIT_S):
            while ONE in told(await other.replicas()):
                await other.announce(OTHER)
                await asyncio.sleep(_BEAT_S)
        assert told(await other.replicas()) == [OTHER]
        await one.announce(ONE)
        assert told(await other.replicas()) == [ONE, OTHER]


def told(listed: Sequence[Listed]) -> list[Replica]:
    """Return the announced replicas."""
    return [each.replica for each in listed]
