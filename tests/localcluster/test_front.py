"""HAProxy of a cluster on this machine stands in front of its replicas."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import httpx2
import pytest
from tests.real import PATIENCE_S, machine_in
from tests.server import Server

from analytics.balancer.plan import MODULES, PREFIX
from analytics.balancer.runtime import Runtime, ServerState
from analytics.localcluster import front, plan
from analytics.localcluster.front import Front
from analytics.localcluster.launcher import LocalCluster
from analytics.localcluster.process import ManagedProcesses
from analytics.localcluster.servers import ServerSet
from analytics.settings import ClusterSettings, Settings

SITE = "front.example"


@pytest.mark.front
async def test_it_serves_what_the_replicas_serve_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The replicas are of the embedded kind here: HAProxy can't tell."""
    agreed = plan.agreed(tmp_path, base=0, kafka_nodes=1, ignite_nodes=1)
    command = front.located("haproxy")
    assert command is not None, "install haproxy"
    made = Front(agreed, tmp_path, command=command)
    processes = ManagedProcesses(tmp_path)
    servers = [Server(tmp_path / f"replica-{n}", port=agreed.replica(n)) for n in (1, 2)]
    try:
        for server in servers:
            await server.command("site", "add", SITE)
            await server.start()
        assert await made.fault() == f"no process listens on 127.0.0.1:{agreed.front}"
        running = processes.start(made.name, made.prepare())
        runtime = Runtime(made.socket)
        async with asyncio.timeout(PATIENCE_S):
            while not made.socket.exists():
                await asyncio.sleep(0.05)
        for server in servers:
            for backend in MODULES:
                path = f"{backend}/discovered-{server.port}"
                await runtime.add(path, f"127.0.0.1:{server.port}", "check")
                await runtime.ready(path)
        async with asyncio.timeout(PATIENCE_S):
            while await made.fault() is not None:
                assert running.alive, processes.tail(made.name)
                await asyncio.sleep(0.05)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{agreed.front}") as client:
            event = {"n": "x", "u": f"https://{SITE}/", "d": SITE}
            replies = [await client.post("/api/event", json=event) for _ in range(10)]
        assert [reply.status_code for reply in replies] == [202] * 10
    finally:
        processes.end(processes.all(), 10)
        for server in servers:
            await server.stop()
    shares = [len(await server.rows(SITE)) for server in servers]
    assert shares == [5, 5]
    assert await made.fault() == f"no process listens on 127.0.0.1:{agreed.front}"


@pytest.mark.cluster
@pytest.mark.timeout(1800)
async def test_found(tmp_path: Path) -> None:
    """Its replicas are in HAProxy as they come and go; a socket's name must be short."""
    machine = machine_in(tmp_path)
    try:
        status = await machine.up(only=["kafka", "cassandra", "ignite", "replica", "front"])
        assert status.healthy
        assert status.front is not None
        servers = {each.name: each for each in status.servers}
        assert servers["front-discover"].address == ""
        one, two = servers["replica-1"].address, servers["replica-2"].address
        await serves_with(machine, one, two)
        leaving = machine.processes.find("replica-2")
        assert leaving is not None
        await asyncio.to_thread(machine.processes.end, [leaving], PATIENCE_S)
        await serves_with(machine, one)
        async with httpx2.AsyncClient(base_url=status.front) as client:
            assert (await client.get("/health/ready")).status_code == 200
        assert (await machine.up(only=["replica"])).healthy
        await serves_with(machine, one, two)
    finally:
        machine.down()
    assert machine.processes.all() == []


async def serves_with(machine: LocalCluster, *addresses: str) -> None:
    """Return when HAProxy gives these replicas work, in every backend, and no other replicas."""
    runtime = Runtime(machine.folder / "front" / "admin.sock")
    wanted = {(backend, each) for backend in MODULES for each in addresses}
    async with asyncio.timeout(PATIENCE_S):
        while wanted != {
            (backend, each.address)
            for backend, servers in (await runtime.servers()).items()
            for each in servers.values()
            if each.name.startswith(PREFIX) and each.state is ServerState.READY and each.up
        }:
            await asyncio.sleep(0.1)


def test_without_haproxy_a_cluster_says_what_to_install_and_does_without(tmp_path: Path) -> None:
    said: list[str] = []
    settings = Settings(cluster=ClusterSettings(haproxy="no-such-haproxy"))
    agreed = plan.agreed(tmp_path, base=0, kafka_nodes=1, ignite_nodes=1)
    parts = ServerSet(settings, agreed, tmp_path, tmp_path / "analytics.toml")
    parts.fetch("front", said.append)
    assert parts.of("front") == []
    assert "apt-get install haproxy" in said[0]


def test_haproxy_is_found_where_debian_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("haproxy", path="/usr/sbin") is None:
        pytest.skip("this system has it elsewhere, or not at all")
    monkeypatch.setenv("PATH", "/bin")
    assert front.located("haproxy") == Path("/usr/sbin/haproxy")
