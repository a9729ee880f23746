"""Real servers for tests: each is started once, when the first test asks for it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.eureka.server import EurekaServer

from analytics.localcluster import plan, process
from analytics.localcluster.configuration import resolved
from analytics.localcluster.launcher import LocalCluster
from analytics.localcluster.process import ManagedProcess
from analytics.settings import ClusterSettings, Settings
from analytics.settings.section import MIB

PATIENCE_S = 600
"""How long a test waits for what real servers do, on a machine that may be busy with other work.

Only what never comes takes so long: nothing is measured by it.
"""
SMALL = ClusterSettings(
    port_base=0,
    kafka_heap=256 * MIB,
    cassandra_heap=512 * MIB,
    ignite_heap=384 * MIB,
    ignite_memory=256 * MIB,
)


def machine_in(folder: Path) -> LocalCluster:
    """A cluster of small servers that keeps its data in *folder*."""
    return LocalCluster(Settings(data=folder, cluster=SMALL), print)


def settings_of(machine: LocalCluster, base: Settings | None = None) -> Settings:
    """The settings with which the servers of *machine* are reached."""
    found = plan.load(machine.folder)
    assert found is not None, "nothing of it was started"
    return resolved(base or Settings(cluster=SMALL), found)


def kill(machine: LocalCluster, name: str) -> None:
    """End a process of *machine* as the kernel would for want of memory."""
    found = machine.processes.find(name)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    while found.alive:
        time.sleep(0.001)


def family(machine: LocalCluster, name: str) -> list[ManagedProcess]:
    """A process of *machine* with all that it has started, by the names of their programs."""
    leader = machine.processes.find(name)
    assert leader is not None
    return [
        ManagedProcess(
            name=Path(f"/proc/{pid}/comm").read_text().strip(),
            pid=pid,
            birth=process._start_of(pid) or "",
        )
        for pid in process._session(leader)
    ]


async def once_settled(run: Callable[[], Awaitable[tuple[int, str, str]]]) -> tuple[int, str, str]:
    """Return how a command that waits for all figures ends, asking again as long as it says so.

    On a busy machine the Spark job's first batches take longer than the command waits.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            code, out, err = await run()
            if code == 0 or "and stand still" not in err:
                return code, out, err


def pids(machine: LocalCluster) -> Mapping[str, int | None]:
    """The process of each server that was started; None for one that has died."""
    return {each.name: each.pid if each.alive else None for each in machine.processes.all()}


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The cluster of this run of tests, with nothing started yet."""
    machine = machine_in(tmp_path_factory.mktemp("machine"))
    try:
        yield machine
    finally:
        machine.down()


@pytest.fixture(scope="session")
def kafka(machine: LocalCluster) -> Settings:
    """The settings of a running Kafka, of one broker."""
    asyncio.run(machine.up(only=["kafka"]))
    return settings_of(machine)


@pytest.fixture(scope="session")
def cassandra(machine: LocalCluster) -> Settings:
    """The settings of a running Cassandra."""
    asyncio.run(machine.up(only=["cassandra"]))
    return settings_of(machine)


@pytest.fixture(scope="session")
def ignite(machine: LocalCluster, cassandra: Settings) -> Settings:
    """The settings of a running Ignite node, which writes behind to Cassandra."""
    asyncio.run(machine.up(only=["ignite"]))
    return cassandra


@pytest.fixture(scope="session")
def eureka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EurekaServer]:
    """A running Eureka server."""
    server = EurekaServer(tmp_path_factory.mktemp("eureka"))
    server.start()
    try:
        yield server
    finally:
        server.stop()
