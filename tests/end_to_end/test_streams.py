"""Streams of a real server: a few for each reader, and none beyond its right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace
from tests.server import Server

from analytics import bounds
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.session import COOKIE

PUBLIC, PRIVATE = "public.example", "private.example"
OWNER, PASSWORD = "owner@example.test", "a long password"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "data")
    await server.command("site", "add", PUBLIC)
    async with SqliteCatalog(server.data / "catalog.sqlite") as catalog:
        await catalog.sites.edit(
            catalog.sites.all()[0].domain, lambda site: replace(site, public=True)
        )
        await catalog.sites.add(PRIVATE, timezone="Etc/UTC")
        await catalog.people.add(OWNER, PASSWORD, owner=True)
    await server.start()
    yield server
    await server.stop()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


Open = Callable[..., Awaitable[tuple[int, Stream]]]


@pytest.fixture
async def opened(server: Server) -> AsyncIterator[Open]:
    """Asks for a stream; what was opened is closed in the end."""
    writers = []

    async def ask(site: str, *headers: str) -> tuple[int, Stream]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append(writer)
        lines = [f"GET /{site}/live HTTP/1.1", "host: localhost", "connection: close", *headers]
        writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        return int((await reader.readline()).split()[1]), (reader, writer)

    yield ask
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def test_a_reader_has_a_few_streams_and_others_have_theirs(
    server: Server, opened: Open
) -> None:
    streams = []
    for address in ("203.0.113.1", "2001:db8::"):
        statuses = []
        for number in range(bounds.STREAMS_OF_READER + 3):
            # Of IPv6, each from another address of one customer's network.
            sender = f"{address}{number:x}" if ":" in address else address
            status, stream = await opened(PUBLIC, f"x-forwarded-for: {sender}")
            statuses.append(status)
            streams.append(stream)
        assert statuses == [200] * bounds.STREAMS_OF_READER + [429] * 3
    streams[0][1].close()  # whoever leaves makes room

    async def room() -> int:
        return (await opened(PUBLIC, "x-forwarded-for: 203.0.113.1"))[0]

    async with asyncio.timeout(20):
        while await room() == 429:
            await asyncio.sleep(0.1)
    async with httpx2.AsyncClient(base_url=server.url) as client:
        assert (await client.get(f"/{PUBLIC}")).status_code == 200


async def test_a_stream_ends_when_its_reader_logs_out(server: Server, opened: Open) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        headers = {"origin": server.url}
        login = {"email": OWNER, "password": PASSWORD}
        token = (await client.post("/login", data=login, headers=headers)).cookies[COOKIE]
        status, (reader, _) = await opened(PRIVATE, f"cookie: {COOKIE}={token}")
        assert status == 200
        assert b"event: now" in await reader.readuntil(b"event: now")
        left = await client.post("/logout", headers={**headers, "cookie": f"{COOKIE}={token}"})
        assert left.status_code == 303
        async with asyncio.timeout(60):
            await reader.read()  # to its end, which comes with the next beat
        assert (await opened(PRIVATE, f"cookie: {COOKIE}={token}"))[0] == 303
