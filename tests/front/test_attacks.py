"""Hostile senders, against HAProxy and a replica itself: refused, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.front.attacks import REFUSED, REPAIRED
from tests.front.haproxy import HAProxy
from tests.server import Server, free_port

SITE = "front.example"
HALF_OPEN = 400
PATIENCE_S = 60
pytestmark = [pytest.mark.front, pytest.mark.asyncio(loop_scope="module")]
EACH = pytest.mark.parametrize("target", ["haproxy", "replica"])


class Targets:
    """A replica, and a HAProxy in front of it."""

    def __init__(self, server: Server, haproxy: HAProxy, port: int) -> None:
        self.server = server
        self.haproxy = haproxy
        self.ports = {"replica": server.port, "haproxy": port}

    async def say(self, target: str, raw: bytes) -> list[int]:
        """The status of every answer to *raw*; it must be answered, or the connection closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[target])
        found = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            writer.write(raw)
            await asyncio.wait_for(writer.drain(), PATIENCE_S)
        try:
            # After an answer, a moment for a second one that should not come.
            while piece := await asyncio.wait_for(reader.read(65536), 0.5 if found else PATIENCE_S):
                found += piece
        except ConnectionError:
            pass
        except TimeoutError:
            assert found, "neither answered nor closed"
        writer.close()
        return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", found)]

    async def event(self, target: str) -> int:
        """The status for an honest event."""
        body = json.dumps(
            {"n": "x", "u": f"https://{SITE}/", "d": SITE, "id": str(uuid.uuid4())}
        ).encode()
        head = b"POST /api/event HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        (status,) = await self.say(target, head + body)
        return status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def targets(
    equipped: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Targets]:
    server = Server(Path(tmp_path_factory.mktemp("attacked")) / "data")
    await server.command("site", "add", SITE)
    await server.start()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="front-") as short:
        Path(short).chmod(0o755)
        haproxy = HAProxy(
            Path(short) / "haproxy",
            FRONT_HTTP=f"127.0.0.1:{port}",
            FRONT_STATISTICS=f"127.0.0.1:{free_port()}",
            FRONT_REPLICA_1=f"127.0.0.1:{server.port}",
        )
        try:
            await haproxy.start()
            yield Targets(server, haproxy, port)
            await server.balance()
        finally:
            haproxy.end()
            await server.stop()


@EACH
@pytest.mark.parametrize("name", REFUSED)
async def test_what_can_be_read_in_two_ways_is_refused(
    targets: Targets, target: str, name: str
) -> None:
    found = await targets.say(target, REFUSED[name])
    assert found == [] or (len(found) == 1 and 400 <= found[0] < 500), found
    assert await targets.event(target) == 202


@EACH
@pytest.mark.parametrize("name", REPAIRED)
async def test_what_can_be_repaired_is_read_in_one_way(
    targets: Targets, target: str, name: str
) -> None:
    found = await targets.say(target, REPAIRED[name])
    assert len(found) <= 1, found
    assert found == [] or found[0] < 500
    assert await targets.event(target) == 202


@EACH
async def test_hundreds_of_slow_senders_keep_nobody_from_being_served(
    targets: Targets, target: str
) -> None:
    """Half of them stop in their headers, half in a body that comes drop by drop."""
    half = b"POST /api/event HTTP/1.1\r\nHost: x\r\n"
    writers = []
    for number in range(HALF_OPEN):
        _, writer = await asyncio.open_connection("127.0.0.1", targets.ports[target])
        writer.write(half if number % 2 else half + b"Content-Length: 1000\r\n\r\n{")
        writers.append(writer)
    try:
        for _ in range(20):
            assert await targets.event(target) == 202
            for writer in writers[::2]:
                writer.write(b" ")
        assert targets.haproxy.servers() == {"replica-1": "UP"}
    finally:
        for writer in writers:
            writer.close()


async def test_slow_senders_do_not_reach_the_replica_through_haproxy(targets: Targets) -> None:
    half = b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    writers = []
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", targets.ports["haproxy"])
        writer.write(half)
        writers.append(writer)
    assert await targets.event("haproxy") == 202
    (busy,) = (
        line["scur"]
        for line in targets.haproxy.statistics()
        if (line["pxname"], line["svname"]) == ("ingest", "replica-1")
    )
    assert int(busy) == 0
    for writer in writers:
        writer.close()


async def test_haproxy_sends_away_who_does_not_finish(targets: Targets) -> None:
    half = b"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    assert await targets.say("haproxy", half) == [408]


@EACH
async def test_a_body_that_is_too_large_is_refused(targets: Targets, target: str) -> None:
    size = 30_000_000
    head = b"POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    found = await targets.say(target, head + b" " * size)
    assert found in ([413], [])
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = b"POST /api/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = await targets.say(target, head + chunk * 400 + b"0\r\n\r\n")
    assert found in ([413], [])
    assert await targets.event(target) == 202
