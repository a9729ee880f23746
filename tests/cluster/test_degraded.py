"""While a server behind it is away, a replica gives the answer that it promises for then."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests import real
from tests.cluster import pace
from tests.real import PATIENCE_S, machine_in

from analytics.localcluster.launcher import ClusterStatus, LocalCluster

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

SITE = "degraded.example"
PARTS = ("kafka", "cassandra", "ignite", "spark-job", "replica")
PACE = 200


class Replica:
    """One replica, as those see it who use it and who watch it."""

    def __init__(self, status: ClusterStatus) -> None:
        self._status = status
        self.url = status.replicas[0]
        self.port = int(self.url.rpartition(":")[2])

    async def command(self, *arguments: str) -> tuple[int, str]:
        """The exit code of `analytics …` at it, and what that prints."""
        data = Path(self._status.config).parent / "replica-1"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "analytics", *arguments),
            *("--config", self._status.config, "--data", str(data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=60) as client:
            return await client.get(self.url + path)

    async def degraded(self) -> set[str]:
        """The backends that it does without; it is ready all the same."""
        ready = await self.get("/health/ready")
        assert ready.status_code == 200, ready.text
        return set(ready.json()["degraded"])

    async def without(self, *parts: str) -> None:
        """Return when it does without these backends, and no others."""

        async def it_does() -> bool:
            return await self.degraded() == set(parts)

        await until(it_does)

    async def metric(self, name: str) -> float:
        text = (await self.get("/metrics")).text
        return next(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(f"{name} ")
        )

    async def query(self, key: str) -> dict[str, Any]:
        question = {"site_id": SITE, "metrics": ["visitors"], "date_range": "day"}
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(timeout=60) as client:
            reply = await client.post(f"{self.url}/api/v2/query", json=question, headers=headers)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def dated(self, key: str) -> bool:
        """Whether its figures say as of when they are."""
        return "as_of" in (await self.query(key))["meta"]

    async def current(self, key: str) -> bool:
        """Whether they are as of now."""
        return not await self.dated(key)

    async def send(self, what: str) -> None:
        """Events at a steady pace, every one of which is taken."""
        sent = await pace.send(self.port, SITE, a_second=PACE, seconds=8)
        print(f"{what}: {sent}")
        assert sent.statuses.keys() == {202}


def kill(machine: LocalCluster, kind: str) -> None:
    """End every process of *kind* as a power cut would."""
    for process in machine.processes.all():
        if process.alive and process.name.startswith(kind):
            real.kill(machine, process.name)


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    """Return when *what* comes true."""
    async with asyncio.timeout(PATIENCE_S):
        while not await what():
            await asyncio.sleep(0.3)


async def test_a_replica_keeps_its_promises_whoever_is_away(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        replica = Replica(await machine.up(only=PARTS))
        await replica.command("site", "add", SITE)
        _, made = await replica.command(
            "key", "create", "--site", SITE, "--scope", "stats:read", "--json"
        )
        key = json.loads(made)["key"]
        await replica.send("to warm up")
        await replica.send("Kafka is there")
        await replica.without()

        await without_kafka(machine, replica, key)
        await without_the_job(machine, replica, key)
        await without_cassandra(machine, replica)
        await without_ignite(machine, replica, key)
    finally:
        machine.down()
    assert machine.processes.all() == []


async def without_kafka(machine: LocalCluster, replica: Replica, key: str) -> None:
    """Hits are acknowledged from this disk, and follow; figures say that they lack them."""
    kill(machine, "kafka")
    await replica.send("Kafka dies")
    await replica.without("kafka")
    await replica.send("Kafka is away, its breaker open")
    assert await replica.metric("analytics_spool_records") > 0
    await until(lambda: replica.dated(key))
    assert await replica.metric('analytics_breaker_opened_total{backend="kafka"}') >= 1
    await machine.up(only=["kafka"])

    async def drained() -> bool:
        return await replica.metric("analytics_spool_records") == 0

    await until(drained)
    await replica.without()
    await replica.send("Kafka is back")


async def without_the_job(machine: LocalCluster, replica: Replica, key: str) -> None:
    """Nobody is away whom the replica asks; what the log has beyond its figures says enough."""

    await until(lambda: replica.current(key))
    kill(machine, "spark-job")
    await replica.send("The job is away")
    await until(lambda: replica.dated(key))
    await replica.without()
    await machine.up(only=["spark-job"])
    await until(lambda: replica.current(key))


async def without_cassandra(machine: LocalCluster, replica: Replica) -> None:
    """An audit says that nobody looked there, and the rest goes on."""

    async def all_is_kept() -> bool:
        return (await replica.command("audit", "--json"))[0] == 0

    await until(all_is_kept)
    kill(machine, "cassandra")
    code, said = await replica.command("audit", "--json")
    assert code == 1, said
    assert "does not answer" in said
    assert "Its chunks were not checked" in said
    await replica.send("Cassandra is away")


async def without_ignite(machine: LocalCluster, replica: Replica, key: str) -> None:
    """Figures come from the replica's copy, and say as of when."""
    await until(lambda: replica.current(key))
    kill(machine, "ignite")
    await until(lambda: replica.dated(key))

    async def does_without_ignite() -> bool:
        return "ignite" in await replica.degraded()

    await until(does_without_ignite)
    await replica.send("Ignite and Cassandra are away")
