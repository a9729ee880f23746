"""The registry in a real Ignite passes the suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.real import PATIENCE_S
from tests.server import Server

from analytics import __version__
from analytics.errors import RegistryUnavailable
from analytics.registry.base import Registry
from analytics.registry.ignite import IgniteRegistry
from analytics.resources import clock
from analytics.settings import IgniteSettings, Settings
from analytics.testing.contracts.registry import LEASE_S, ONE, RegistryContract


async def empty(registry: Registry) -> None:
    """Take out what other tests have left in it."""
    for each in await registry.replicas():
        await registry.withdraw(each.replica.address)


@pytest.mark.cluster
@pytest.mark.timeout(1800)
class TestIgniteRegistry(RegistryContract):
    @pytest.fixture
    async def registries(self, ignite: Settings) -> AsyncIterator[tuple[Registry, Registry]]:
        async with (
            IgniteRegistry(ignite.ignite, LEASE_S, clock=clock) as one,
            IgniteRegistry(ignite.ignite, LEASE_S, clock=clock) as other,
        ):
            await empty(one)
            yield one, other


@pytest.mark.cluster
@pytest.mark.timeout(1800)
async def test_a_server_is_listed_from_its_start_to_its_end(
    ignite: Settings, tmp_path: Path
) -> None:
    server = Server(tmp_path / "data")
    async with IgniteRegistry(ignite.ignite, LEASE_S, clock=clock) as registry:
        await empty(registry)
        began = clock()
        await server.start(
            ANALYTICS_REGISTRY__BACKEND="ignite",
            ANALYTICS_IGNITE__ADDRESSES=ignite.ignite.addresses[0],
            ANALYTICS_SERVE__MODULES="ingest,dashboard",
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (listed := await registry.replicas()):
                    await asyncio.sleep(0.05)
            ((replica, seen_at, out_of_service),) = listed
            assert not out_of_service
            assert replica.address == f"127.0.0.1:{server.port}"
            assert replica.modules == ("ingest", "dashboard")
            assert (replica.version, replica.fault) == (__version__, "")
            assert began <= replica.started_at <= seen_at <= clock()
        finally:
            await server.stop()
        assert await registry.replicas() == []


async def test_an_ignite_that_is_away_is_unavailable() -> None:
    async with IgniteRegistry(
        IgniteSettings(addresses=("127.0.0.1:1",)), LEASE_S, clock=clock
    ) as registry:
        with pytest.raises(RegistryUnavailable, match="Ignite does not answer"):
            await registry.replicas()
        with pytest.raises(RegistryUnavailable):
            await registry.announce(ONE)
