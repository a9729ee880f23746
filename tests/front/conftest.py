"""The front for tests: a network, two balancers, two replicas, all of them real."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.front.balancer import Balancer
from tests.front.load import PATIENCE_S, SITE
from tests.front.replica import Replica, replica
from tests.front.topology import SERVERS, Topology

NEEDED = {"ip": "iproute2", "haproxy": "haproxy", "keepalived": "keepalived"}


@pytest.fixture(scope="session")
def equipped() -> None:
    """Fails, and says what is missing: a front that was not tried is no front that works."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [package for name, package in NEEDED.items() if not shutil.which(name, path=path)]
    if missing:
        pytest.fail(f"these packages are needed: {' '.join(missing)}; ./test installs them")
    if os.geteuid() != 0:
        pytest.fail("namespaces need root: sudo ./test -m front, or leave them out: -m 'not front'")


@pytest.fixture
def topology(equipped: None) -> Iterator[Topology]:
    with Topology() as made:
        yield made


@dataclass
class Front:
    """All of it, running."""

    topology: Topology
    balancers: dict[str, Balancer]
    replicas: list[Replica]

    @property
    def active(self) -> Balancer:
        """Who has the virtual address."""
        (role,) = (role for role in self.balancers if self.topology.holds(role))
        return self.balancers[role]

    def other(self, balancer: Balancer) -> Balancer:
        (found,) = (each for each in self.balancers.values() if each is not balancer)
        return found

    async def stored(self) -> set[str]:
        """The ids of every event in any replica; all of them must be balanced."""
        found: set[str] = set()
        for each in self.replicas:
            await each.balance()
            found |= await each.events(SITE)
        return found


@pytest.fixture
async def front(topology: Topology, tmp_path: Path) -> AsyncIterator[Front]:
    # Names of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="front-") as short:
        Path(short).chmod(0o755)
        replicas = [await replica(topology, tmp_path, number, SITE) for number in (1, 2)]
        addresses = {number: f"{SERVERS}:{each.port}" for number, each in enumerate(replicas, 1)}
        balancers = {
            role: Balancer(topology, role, Path(short), addresses) for role in ("lb1", "lb2")
        }
        try:
            for each in replicas:
                await each.start()
            for balancer in balancers.values():
                await balancer.start()
            async with asyncio.timeout(PATIENCE_S):
                while not any(map(topology.holds, balancers)):
                    await asyncio.sleep(0.02)
            yield Front(topology, balancers, replicas)
        finally:
            for balancer in balancers.values():
                balancer.end()
            for each in replicas:
                await each.stop()
