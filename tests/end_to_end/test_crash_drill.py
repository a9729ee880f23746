"""kill -9 of the server under load: what was acked is stored, once, and the ledger balances."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from tests.server import Server

SITE = "drill.example"
ROUNDS = 20
CLIENTS = 16


class Load:
    """Visitors that send until told to stop, and remember what was acked."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._random = random.Random(seed)
        self.sent: set[str] = set()
        self.acked: set[str] = set()
        self.retry: list[str] = []

    async def run(self, ended: asyncio.Event) -> None:
        limits = httpx2.Limits(max_connections=CLIENTS)
        async with httpx2.AsyncClient(limits=limits, timeout=10) as client:
            await asyncio.gather(*(self._visit(client, n, ended) for n in range(CLIENTS)))

    async def _visit(self, client: httpx2.AsyncClient, number: int, ended: asyncio.Event) -> None:
        while not ended.is_set():
            # What was never answered is sent again with its id, as the tracker does.
            event_id = self.retry.pop() if self.retry else str(uuid.uuid4())
            self.sent.add(event_id)
            body = {
                "n": "pageview",
                "u": f"https://{SITE}/{self._random.randrange(50)}",
                "d": SITE,
                "id": event_id,
                "vid": f"visitor-{number}-{self._random.randrange(20)}",
            }
            try:
                reply = await client.post(f"{self._url}/api/event", json=body)
            except httpx2.TransportError:
                self.retry.append(event_id)
                await asyncio.sleep(0.02)
                continue
            if reply.status_code == 202:
                self.acked.add(event_id)
            else:
                assert reply.status_code == 503, reply.text
                self.retry.append(event_id)


@pytest.mark.drill
@pytest.mark.timeout(600)
async def test_nothing_acked_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    chance = random.Random(20)
    await server.command("site", "add", SITE)
    sent: set[str] = set()
    acked: set[str] = set()
    retry: list[str] = []
    for number in range(ROUNDS):
        await server.start()
        load = Load(server.url, seed=number)
        load.retry = retry
        ended = asyncio.Event()
        running = asyncio.create_task(load.run(ended))
        while len(load.acked) < 50:  # under load for sure
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0, 1.0))
        await server.kill()
        ended.set()
        await running
        sent |= load.sent
        acked |= load.acked
        retry = load.retry
    await server.start()
    await server.command("audit")  # waits until everything is in the figures
    stored = Counter(row["event_id"] for row in await server.rows(SITE))
    assert acked <= stored.keys()
    assert stored.keys() <= sent
    assert [event_id for event_id, copies in stored.items() if copies > 1] == []
    (line,) = (await server.balance())["sites"]
    assert line["stored"] == len(stored)
    assert line["received"] == line["stored"] + line["duplicate"]
    assert line["dead"] == 0
    await server.stop()
