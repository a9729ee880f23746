"""Real servers for tests: each is started once, when the first test asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.eureka.server import EurekaServer

from analytics.cluster import plan
from analytics.cluster.configuration import resolved
from analytics.cluster.machine import Machine
from analytics.settings import Cluster, Settings
from analytics.settings.section import MIB

SMALL = Cluster(
    port_base=0,
    kafka_heap=256 * MIB,
    cassandra_heap=512 * MIB,
    ignite_heap=384 * MIB,
    ignite_memory=256 * MIB,
)


def machine_in(folder: Path) -> Machine:
    """A cluster of small servers that keeps its data in *folder*."""
    return Machine(Settings(data=folder, cluster=SMALL), print)


def settings_of(machine: Machine, base: Settings | None = None) -> Settings:
    """The settings with which the servers of *machine* are reached."""
    found = plan.load(machine.folder)
    assert found is not None, "nothing of it was started"
    return resolved(base or Settings(cluster=SMALL), found)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The cluster of this run of tests, with nothing started yet."""
    machine = machine_in(tmp_path_factory.mktemp("machine"))
    try:
        yield machine
    finally:
        machine.down()


@pytest.fixture(scope="session")
def kafka(machine: Machine) -> Settings:
    """The settings of a running Kafka, of one broker."""
    asyncio.run(machine.up(only=["kafka"]))
    return settings_of(machine)


@pytest.fixture(scope="session")
def cassandra(machine: Machine) -> Settings:
    """The settings of a running Cassandra."""
    asyncio.run(machine.up(only=["cassandra"]))
    return settings_of(machine)


@pytest.fixture(scope="session")
def ignite(machine: Machine, cassandra: Settings) -> Settings:
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
