"""All of a cluster: hits go into one replica and come out of another, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from tests.real import machine_in

from analytics.cluster.machine import ClusterStatus, Machine

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(600)]

SITE = "whole.example"
SENDERS = 8


class Load:
    """Visitors who send to one replica after the other, and remember what was acked."""

    def __init__(self, replicas: list[str]) -> None:
        self._replicas = replicas
        self.acked: set[str] = set()
        self.refused: list[str] = []
        self.ended = asyncio.Event()

    async def run(self) -> None:
        async with httpx2.AsyncClient(timeout=30) as client:
            await asyncio.gather(*(self._visit(client, number) for number in range(SENDERS)))

    async def _visit(self, client: httpx2.AsyncClient, visitor: int) -> None:
        turn = 0
        while not self.ended.is_set():
            event_id = str(uuid.uuid4())
            url = self._replicas[(visitor + turn) % len(self._replicas)]
            body = {
                "n": "pageview",
                "u": f"https://{SITE}/{turn % 50}",
                "d": SITE,
                "id": event_id,
                "vid": f"visitor-{visitor}-{turn % 20}",
            }
            reply = await client.post(f"{url}/api/event", json=body)
            if reply.status_code == 202:
                self.acked.add(event_id)
            else:
                self.refused.append(reply.text)
            turn += 1
            await asyncio.sleep(0.01)

    async def more(self, count: int) -> None:
        """Return when as many further hits are acked."""
        goal = len(self.acked) + count
        while len(self.acked) < goal:
            await asyncio.sleep(0.02)


async def command(status: ClusterStatus, replica: int, *arguments: str) -> str:
    """What `analytics …` prints, as it runs at a replica."""
    data = Path(status.config).parent / f"replica-{replica}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "analytics", *arguments),
        *("--config", status.config, "--data", str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0 or b"already" in err, err.decode()
    return out.decode()


async def stored(status: ClusterStatus, replica: int) -> Counter[str]:
    """How often each event is in the figures of a replica."""
    out = await command(status, replica, "export", "--site", SITE, "--format", "ndjson")
    return Counter(json.loads(line)["event_id"] for line in out.splitlines())


async def arrive(status: ClusterStatus, wanted: set[str]) -> None:
    """Return when every replica has every event of *wanted*, each once."""
    for replica in (1, 2):
        async with asyncio.timeout(120):
            while not wanted <= (found := await stored(status, replica)).keys():
                await asyncio.sleep(0.2)
        assert [event_id for event_id, copies in found.items() if copies > 1] == []
        assert found.keys() == wanted


def kill(machine: Machine, name: str) -> None:
    process = machine.processes.find(name)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)


async def test_no_hit_is_lost_or_refused_though_the_log_or_the_job_dies(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        status = await machine.up()
        assert status.healthy
        assert status.front is not None, "install haproxy"
        for replica in (1, 2):
            await command(status, replica, "site", "add", SITE)
        load = Load(list(status.replicas))
        running = asyncio.create_task(load.run())
        await load.more(300)
        for name in ("kafka-1", "spark-job"):
            kill(machine, name)
            await load.more(1_000)
            await machine.up()
            await load.more(300)
        load.ended.set()
        await running
        assert load.refused == []
        await arrive(status, load.acked)
    finally:
        machine.down()
    assert machine.processes.all() == []
