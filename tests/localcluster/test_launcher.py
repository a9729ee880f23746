"""A cluster on this machine: the real servers, up and down again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cassandra.cluster import Cluster, Session
from pyignite import Client
from tests.real import PATIENCE_S, kill, machine_in, settings_of

from analytics.cli.main import main
from analytics.errors import FolderInUse, Misconfigured, Unavailable
from analytics.localcluster import plan
from analytics.localcluster.launcher import LocalCluster
from analytics.localcluster.plan import HOST, PORTS
from analytics.settings import Settings
from analytics.sharding import SHARDS
from analytics.stream.base import Position
from analytics.stream.kafka.log import KafkaLog
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import read

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SERVERS = ["kafka", "cassandra", "ignite"]


def listeners(machine: LocalCluster) -> list[int]:
    """The ports of the cluster at which somebody still listens."""
    base = agreed(machine).base
    found = []
    for port in range(base, base + PORTS):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                found.append(port)
    return found


def agreed(machine: LocalCluster) -> plan.ClusterPlan:
    found = plan.load(machine.folder)
    assert found is not None
    return found


@contextmanager
def client_of(port: int) -> Iterator[Client]:
    client = Client()
    with client.connect([(HOST, port)]):
        yield client


def put(port: int, number: int, payload: bytes) -> None:
    """Write a chunk into Ignite."""
    with client_of(port) as client:
        client.sql(
            "MERGE INTO chunks (chunk_id, kind, site, hour, log_partition, first_offset, "
            "last_offset, row_count, schema_version, payload) VALUES (?,?,?,?,?,?,?,?,?,?)",
            query_args=[f"c{number}", "fresh", "a.example", 7, 0, number, number, 1, 1, payload],
        )


def got(port: int, number: int) -> bytes | None:
    """The payload of a chunk, by its key: what has left the memory is read through."""
    with client_of(port) as client:
        value = client.get_cache("chunks").get(f"c{number}")
        return None if value is None else bytes(value.payload)


def in_cassandra(session: Session) -> set[str]:
    return {row.chunk_id for row in session.execute("SELECT chunk_id FROM analytics.chunks")}


def documents(port: int) -> set[str]:
    """What the catalog in Cassandra holds now."""
    cluster = Cluster([HOST], port=port, protocol_version=5)
    try:
        rows = cluster.connect().execute("SELECT document_id FROM analytics.catalog")
        return {row.document_id for row in rows}
    finally:
        cluster.shutdown()


async def reaches_cassandra(port: int, wanted: set[str]) -> None:
    cluster = Cluster([HOST], port=port, protocol_version=5)
    try:
        session = await asyncio.to_thread(cluster.connect)
        async with asyncio.timeout(PATIENCE_S):
            while not wanted <= await asyncio.to_thread(in_cassandra, session):
                await asyncio.sleep(0.1)
    finally:
        cluster.shutdown()


async def test_the_servers_of_a_cluster_come_up_work_together_and_leave_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine_in(tmp_path)
    try:
        status = await machine.up(only=SERVERS)
        assert status.healthy
        assert [server.name for server in status.servers] == ["kafka-1", "cassandra", "ignite-1"]
        pids = [server.pid for server in status.servers]
        again = await machine.up(only=SERVERS)
        assert [server.pid for server in again.servers] == pids, "what runs is left alone"

        ports = agreed(machine)
        put(ports.ignite(1), 1, b"one")
        await reaches_cassandra(ports.cassandra, {"c1"})
        with client_of(ports.ignite(1)) as client:
            client.sql("MERGE INTO catalog (document_id, kind) VALUES ('d1', 'site')")
        assert documents(ports.cassandra) == {"d1"}, "it is there as soon as it is confirmed"
        kill(machine, "ignite-1")
        asked = await asyncio.to_thread(status_by_command, tmp_path, capsys)
        states = {server["name"]: server["healthy"] for server in asked["servers"]}
        assert states == {"kafka-1": True, "cassandra": True, "ignite-1": False}
        await machine.up(only=SERVERS)
        assert got(ports.ignite(1), 1) == b"one", "Cassandra kept what the memory lost"
    finally:
        ended = machine.down()
    assert ended == 3
    assert listeners(machine) == []
    assert machine.processes.all() == []


def status_by_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict]]:  # type: ignore[type-arg]
    capsys.readouterr()
    assert main(["cluster", "status", "--json", "--data", str(folder)]) == 1
    found: dict[str, list[dict]] = json.loads(capsys.readouterr().out)  # type: ignore[type-arg]
    return found


@pytest.mark.drill
async def test_three_brokers_take_hits_while_one_is_dead(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        await machine.up(kafka_nodes=3, only=["kafka"])
        settings = settings_of(machine).kafka
        async with KafkaLog(settings) as log:
            positions = list(await log.append([numbered_hit(number) for number in range(SHARDS)]))
            kill(machine, "kafka-2")
            positions += await log.append(
                [numbered_hit(number) for number in range(SHARDS, 2 * SHARDS)]
            )
            stored = []
            for start, end in await log.ends():
                stored += await read(log, start, end.offset - start.offset)
        assert {record.visitor for _, record in stored} == {*range(2 * SHARDS)}  # type: ignore[union-attr]
        assert {position for position, _ in stored} == {*positions}
        await machine.up(only=["kafka"])
        assert (await machine.status()).healthy
    finally:
        machine.down()
    assert listeners(machine) == []


@pytest.mark.drill
async def test_two_ignite_nodes_lose_nothing_when_one_dies(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        await machine.up(ignite_nodes=2, only=["cassandra", "ignite"])
        ports = agreed(machine)
        # While Cassandra is away, only the other node can have them.
        kill(machine, "cassandra")
        for number in range(40):
            put(ports.ignite(1), number, b"%d" % number)
        kill(machine, "ignite-2")
        with client_of(ports.ignite(1)) as client:
            (count,) = next(client.sql("SELECT COUNT(*) FROM chunks"))
        assert count == 40
        await machine.up(only=["cassandra", "ignite"])
        # What the dead node had still to write, only somebody who knows of it can put back.
        for number in range(40):
            put(ports.ignite(1), number, b"%d" % number)
        await reaches_cassandra(ports.cassandra, {f"c{number}" for number in range(40)})
    finally:
        machine.down()
    assert listeners(machine) == []


async def test_a_start_that_fails_ends_what_it_started(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    ports = plan.agreed(machine.folder, base=0, kafka_nodes=1, ignite_nodes=1)
    with socket.create_server((HOST, ports.kafka(1))):
        with pytest.raises(Unavailable, match=r"kafka-1 ended: .*kafka-1\.log"):
            await machine.up(only=["kafka"])
        assert machine.processes.all() == []


async def test_two_commands_at_once_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    with machine._locked(), pytest.raises(FolderInUse, match="another"):
        machine_in(tmp_path).down()


async def test_a_folder_without_a_cluster_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no cluster"):
        await machine_in(tmp_path).status()
    assert machine_in(tmp_path).down() == 0


async def test_each_kind_is_there_for_other_tests(kafka: Settings, ignite: Settings) -> None:
    async with KafkaLog(kafka.kafka) as log:
        (position,) = await log.append([numbered_hit(1)])
        assert await read(log, position, 1) == [(Position(*position), numbered_hit(1))]
    with client_of(int(ignite.ignite.addresses[0].split(":")[1])) as client:
        assert "chunks" in client.get_cache_names()
