"""HTTP load on a cluster's replicas, and what must be true of it when it has ended.

How long an outage lasts: DRILL_OUTAGE_S seconds in the environment, else 15.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from tests.real import PATIENCE_S, once_settled, pids

from analytics.localcluster.launcher import ClusterStatus, LocalCluster

SENDERS = 8
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
OUTAGE_S = float(os.environ.get("DRILL_OUTAGE_S", "15"))
"""How long a server that is the only one of its kind stays dead."""


class Load:
    """Visitors who send to one replica after the other, and remember what was acked.

    What got no answer is sent to the next replica, under the same event id, as the tracker does.
    """

    def __init__(self, replicas: Sequence[str], site: str) -> None:
        self._replicas = replicas
        self.site = site
        self.sent: set[str] = set()
        self.acked: set[str] = set()
        self.refused: list[str] = []
        self.unanswered = 0
        self.slowest_s = 0.0
        self.ended = asyncio.Event()

    async def run(self) -> None:
        async with httpx2.AsyncClient(timeout=30, headers={"User-Agent": BROWSER}) as client:
            await asyncio.gather(*(self._visit(client, number) for number in range(SENDERS)))

    async def _visit(self, client: httpx2.AsyncClient, visitor: int) -> None:
        turn = 0
        while not self.ended.is_set():
            event_id = str(uuid.uuid4())
            self.sent.add(event_id)
            for attempt in range(len(self._replicas)):
                url = self._replicas[(visitor + turn + attempt) % len(self._replicas)]
                if await self._answered(client, url, event_id, visitor, turn):
                    break
            turn += 1
            await asyncio.sleep(0.01)

    async def _answered(
        self, client: httpx2.AsyncClient, url: str, event_id: str, visitor: int, turn: int
    ) -> bool:
        body = {
            "n": "pageview",
            "u": f"https://{self.site}/{turn % 50}",
            "d": self.site,
            "id": event_id,
            "vid": f"visitor-{visitor}-{turn % 20}",
        }
        began = time.monotonic()
        try:
            reply = await client.post(f"{url}/api/event", json=body)
        except httpx2.TransportError:
            self.unanswered += 1
            return False
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if reply.status_code == 202:
            self.acked.add(event_id)
        else:
            self.refused.append(reply.text)
        return True

    async def more(self, count: int) -> None:
        """Return when as many further hits are acked."""
        goal = len(self.acked) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.acked) < goal:
                await asyncio.sleep(0.02)

    async def during(self, seconds: float) -> None:
        """Return after so many seconds, in which further hits are acked."""
        before = len(self.acked)
        await asyncio.sleep(seconds)
        assert len(self.acked) > before


@asynccontextmanager
async def load_on(status: ClusterStatus, site: str) -> AsyncIterator[Load]:
    """Load on every replica of a cluster for a site of its own, while the block runs.

    It begins when the first hits are in the figures, so that all parts are at work.
    """
    for replica in replicas(status):
        await command(status, replica, "site", "add", site)
    load = Load(list(status.replicas), site)
    running = asyncio.create_task(load.run())
    try:
        await load.more(300)
        await arrived(status, 1, load)
        yield load
    finally:
        load.ended.set()
        await running


async def revive(machine: LocalCluster) -> ClusterStatus:
    """Start again what died: exactly that, and return when all is healthy."""
    began = time.monotonic()
    before = pids(machine)
    dead = {name for name, pid in before.items() if pid is None}
    status = await machine.up()
    assert {name for name, pid in pids(machine).items() if pid != before[name]} == dead
    print(f"{', '.join(sorted(dead))} back after {time.monotonic() - began:.1f} s")
    return status


def replicas(status: ClusterStatus) -> range:
    """The numbers of a cluster's replicas."""
    return range(1, len(status.replicas) + 1)


async def sound(status: ClusterStatus, load: Load) -> None:
    """Every replica has what was acked, each event once, and finds nothing wrong.

    An event whose sender got no answer may be there or not, and is there once if it is.
    """
    began = time.monotonic()
    for replica in replicas(status):
        found = await arrived(status, replica, load)
        assert [event_id for event_id, copies in found.items() if copies > 1] == []
        assert found.keys() <= load.sent
    there = time.monotonic()
    for replica in replicas(status):
        await balanced(status, replica)
    print(
        f"{load.site}: {len(load.acked)} acked, slowest in {load.slowest_s:.1f} s,"
        f" {load.unanswered} without an answer, {len(load.refused)} refused;"
        f" all there after {there - began:.1f} s,"
        f" audited after {time.monotonic() - there:.1f} s"
    )


async def arrived(status: ClusterStatus, replica: int, load: Load) -> Counter[str]:
    """How often each event is in the figures of a replica, as soon as all acked by now are."""
    acked = set(load.acked)
    async with asyncio.timeout(PATIENCE_S):
        while not acked <= (found := await stored(status, replica, load.site)).keys():
            await asyncio.sleep(0.5)
    return found


async def balanced(status: ClusterStatus, replica: int) -> None:
    """Return when `analytics audit` finds nothing; Ignite may have something to write yet."""
    said = ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                code, said, _ = await tried(status, replica, "audit", "--json")
                if code == 0:
                    return
                await asyncio.sleep(1)
    except TimeoutError:
        raise AssertionError(f"replica {replica} still finds faults: {said}") from None


async def stored(status: ClusterStatus, replica: int, site: str) -> Counter[str]:
    """How often each event of *site* is in the figures of a replica."""
    out = await command(status, replica, "export", "--site", site, "--format", "ndjson")
    return Counter(json.loads(line)["event_id"] for line in out.splitlines())


async def command(status: ClusterStatus, replica: int, *arguments: str) -> str:
    """What `analytics …` prints, as it runs at a replica."""
    code, out, err = await once_settled(lambda: tried(status, replica, *arguments))
    assert code == 0 or "already" in err, err
    return out


async def tried(status: ClusterStatus, replica: int, *arguments: str) -> tuple[int, str, str]:
    """How `analytics …` ends at a replica, what it prints, and what it complains of."""
    data = Path(status.config).parent / f"replica-{replica}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "analytics", *arguments),
        *("--config", status.config, "--data", str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:  # whoever waited for it has given up
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def asking(url: str, key: str, site: str, **params: str) -> httpx2.Response:
    """Return a replica's reply when it is asked for the events of all days."""
    async with httpx2.AsyncClient(timeout=30) as client:
        return await client.post(
            f"{url}/api/v2/query",
            params=params,
            headers={"Authorization": f"Bearer {key}"},
            json={"site_id": site, "metrics": ["events"], "date_range": "all"},
        )


async def asked(url: str, key: str, site: str) -> dict[str, Any]:
    """What a replica answers when it is asked for the events of today."""
    reply = await asking(url, key, site)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer
