"""Replicas come and go behind a real HAProxy by a real Eureka, and no request fails for it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.eureka.server import EurekaServer
from tests.front.haproxy import HAProxy
from tests.real import PATIENCE_S
from tests.server import Server, free_port, plain_environment

from analytics.balancer.plan import PREFIX
from analytics.balancer.runtime import Runtime, ServerState

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

SITE = "discovered.example"
SENDERS = 4


class Load:
    """Visitors who send all the time, and retry nothing."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._running: list[asyncio.Task[None]] = []
        self.acked: set[str] = set()
        self.failed: list[str] = []

    async def __aenter__(self) -> Load:
        self._running = [asyncio.create_task(self._send(number)) for number in range(SENDERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._running:
            each.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def more(self, count: int = 200) -> None:
        """Return when as many further hits are acked."""
        goal = len(self.acked) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.acked) < goal:
                await asyncio.sleep(0.02)

    async def _send(self, number: int) -> None:
        async with httpx2.AsyncClient(timeout=10) as client:
            while True:
                event_id = str(uuid.uuid4())
                body = {"n": "pageview", "u": f"https://{SITE}/{number}", "d": SITE, "id": event_id}
                try:
                    reply = await client.post(f"{self._url}/api/event", json=body)
                except httpx2.TransportError as exc:
                    self.failed.append(repr(exc))
                else:
                    if reply.status_code == 202:
                        self.acked.add(event_id)
                    else:
                        self.failed.append(f"{reply.status_code} {reply.text}")
                await asyncio.sleep(0.01)


class Front:
    """HAProxy with replicas behind it, that are found by Eureka."""

    def __init__(self, folder: Path, short: Path, eureka: EurekaServer) -> None:
        self.folder = folder
        self.haproxy = HAProxy(
            short,
            FRONT_HTTP=f"127.0.0.1:{free_port()}",
            FRONT_STATISTICS=f"127.0.0.1:{free_port()}",
        )
        self.url = f"http://{self.haproxy.settings['FRONT_HTTP']}"
        self.runtime = Runtime(Path(self.haproxy.settings["FRONT_SOCKET"]))
        self.replicas: list[Server] = []
        self.discovering: list[asyncio.subprocess.Process] = []
        self._settings = {
            "ANALYTICS_REGISTRY__BACKEND": "eureka",
            "ANALYTICS_REGISTRY__LEASE_S": "4",
            "ANALYTICS_REGISTRY__HEARTBEAT_S": "1",
            "ANALYTICS_EUREKA__URLS": eureka.url,
            "ANALYTICS_EUREKA__APP": f"TEST-{uuid.uuid4()}".upper(),
            "ANALYTICS_SERVE__DRAIN_S": "3",
        }

    async def replica(self) -> Server:
        """A further replica, with its site, ready."""
        folder = self.folder / f"replica-{len(self.replicas) + 1}"
        folder.mkdir()
        server = Server(folder / "data")
        await server.command("site", "add", SITE)
        self.replicas.append(server)
        await server.start(**self._settings)
        return server

    async def discover(self, *arguments: str) -> asyncio.subprocess.Process:
        """A further `analytics discover`."""
        with (self.folder / "discover.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "analytics", "discover"),
                *("--socket", self.haproxy.settings["FRONT_SOCKET"], *arguments),
                env=plain_environment(self._settings),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self.discovering.append(process)
        return process

    async def servers(self) -> Mapping[str, ServerState]:
        """What HAProxy sends events to, by address, whose checks go well."""
        there = (await self.runtime.servers())["ingest"]
        return {s.address: s.state for n, s in there.items() if n.startswith(PREFIX) and s.up}

    async def serves_with(self, *wanted: Server) -> None:
        """Return when HAProxy has these replicas and no others."""
        goal = {f"127.0.0.1:{each.port}": ServerState.READY for each in wanted}
        async with asyncio.timeout(PATIENCE_S):
            while await self.servers() != goal:
                await asyncio.sleep(0.02)

    async def stored(self) -> set[str]:
        """The ids of all hits in the figures of all replicas."""
        rows = [await each.rows(SITE) for each in self.replicas]
        return {row["event_id"] for each in rows for row in each}


@asynccontextmanager
async def opened(folder: Path, eureka: EurekaServer) -> AsyncIterator[Front]:
    # Names of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="front-") as short:
        Path(short).chmod(0o755)
        front = Front(folder, Path(short), eureka)
        try:
            await front.haproxy.start(ready=False)
            yield front
        finally:
            for process in front.discovering:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            front.haproxy.end()
            for replica in front.replicas:
                await replica.stop()


async def accepted(replica: Server) -> float:
    """How many events *replica* has taken."""
    async with httpx2.AsyncClient() as client:
        text = (await client.get(replica.url + "/metrics")).text
    (line,) = [e for e in text.splitlines() if e.startswith("analytics_requests_accepted_total")]
    return float(line.split()[1])


async def test_a_replica_that_comes_is_found_and_one_that_goes_is_drained(
    tmp_path: Path, eureka: EurekaServer
) -> None:
    async with opened(tmp_path, eureka) as front:
        one, two = await front.replica(), await front.replica()
        for _ in range(2):  # two at once, all along
            await front.discover()
        await front.serves_with(one, two)
        async with Load(front.url) as load:
            await load.more()
            three = await front.replica()
            began = time.monotonic()
            async with asyncio.timeout(PATIENCE_S):
                while not await accepted(three):
                    await asyncio.sleep(0.02)
            print(
                f"a third replica took its first hit {time.monotonic() - began:.2f} s after ready"
            )
            await front.serves_with(one, two, three)
            await load.more()
            for leaving, left in ((three, [one, two]), (one, [two])):
                began = time.monotonic()
                stopping = asyncio.create_task(leaving.stop())
                await front.serves_with(*left)
                print(f"one that stops was taken out {time.monotonic() - began:.2f} s later")
                await stopping
                await load.more()
            assert load.failed == []
            # Killed, it fails the health checks at once, and leaves the list after its lease.
            four = await front.replica()
            await front.serves_with(two, four)
            await load.more()
            await four.kill()
            await front.serves_with(two)
            await load.more()
            assert load.failed == []
        assert load.acked <= await front.stored()


async def test_neither_the_registry_nor_who_follows_it_need_be_there_all_the_time(
    tmp_path: Path, eureka: EurekaServer
) -> None:
    async with opened(tmp_path, eureka) as front:
        one, two = await front.replica(), await front.replica()
        discovering = await front.discover()
        await front.serves_with(one, two)
        async with Load(front.url) as load:
            await load.more()
            eureka.stop()
            once = await front.discover("--once", "--json")
            out, _ = await once.communicate()
            assert once.returncode == 3, out
            assert b"the registry is unavailable, so all servers stay as they are" in out
            # Longer than a lease, through which replicas serve and nobody is taken away.
            began = time.monotonic()
            while time.monotonic() - began < 8:
                await load.more(50)
            await front.serves_with(one, two)
            discovering.kill()
            await discovering.wait()
            discovering = await front.discover()
            # It knows nobody when it is back, until each has said again that it is there.
            await asyncio.to_thread(eureka.start)
            three = await front.replica()
            await front.serves_with(one, two, three)
            await load.more()
            assert load.failed == []
        front.haproxy.kill()
        await front.haproxy.start(ready=False)
        began = time.monotonic()
        await front.serves_with(one, two, three)
        print(f"a restarted HAProxy had all servers {time.monotonic() - began:.2f} s later")
        async with Load(front.url) as load:
            await load.more()
            assert load.failed == []
        discovering.terminate()
        assert await discovering.wait() == 0
        await front.serves_with(one, two, three)
