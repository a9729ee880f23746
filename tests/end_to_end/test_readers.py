"""Many sites, and many people who look at once: everybody is answered, only later."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace
from tests.server import Server

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.session import COOKIE
from analytics.dashboard.sites import PAGE_SITES
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample

SITES = 120
BUSY = "site-0.example"
OWNER, PASSWORD = "owner@example.test", "long enough"
ERROR = "error-code"
DAY_MS = 86_400_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server of many sites, one of which has six weeks of visitors and is public."""
    server = Server(tmp_path / "data")
    await server.command("site", "add", BUSY)
    async with SqliteCatalog(server.data / "catalog.sqlite") as catalog:
        for number in range(1, SITES):
            await catalog.sites.add(f"site-{number}.example")
        await catalog.sites.edit(
            catalog.sites.all()[0].domain, lambda site: replace(site, public=True)
        )
        await catalog.people.add(OWNER, PASSWORD, owner=True)
    async with DuckDBStore(server.data / "store.duckdb") as store:
        now = time.time_ns() // 1_000_000
        records = sample.records(BUSY, until=now, days=42, a_day=7, seed=1)
        # Six weeks, so that some lie in the last whole month, with which "12mo" ends.
        # No record of the log is behind them.
        await store.write(sample.batch(records)._replace(next_offset=0))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def reader(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client


async def test_the_owner_of_many_sites_sees_them_all(
    server: Server, reader: httpx2.AsyncClient
) -> None:
    login = {"email": OWNER, "password": PASSWORD}
    entered = await reader.post("/login", data=login, headers={"origin": server.url})
    assert COOKIE in entered.cookies
    pages = -(-SITES // PAGE_SITES)
    for number in range(1, pages + 1):
        answers = await asyncio.gather(*(reader.get(f"/?page={number}") for _ in range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8
        shown = SITES - PAGE_SITES * (pages - 1) if number == pages else PAGE_SITES
        for answer in answers:
            assert answer.text.count('class="card site-card"') == shown


async def test_thirty_readers_of_a_report_at_once_are_all_answered(
    reader: httpx2.AsyncClient,
) -> None:
    pages = await asyncio.gather(*(reader.get(f"/{BUSY}?period=12mo") for _ in range(30)))
    assert [page.status_code for page in pages] == [200] * 30
    # A page whose frame was sent early would tell of a fault inside.
    assert [ERROR in page.text for page in pages] == [False] * 30
    assert all('class="cards"' in page.text for page in pages)


async def test_readers_who_went_away_leave_the_line(
    server: Server, reader: httpx2.AsyncClient
) -> None:
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", server.port)) as gone:
            gone.sendall(f"GET /{BUSY}?period=12mo HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    page = await reader.get(f"/{BUSY}?period=28d")
    assert page.status_code == 200
    assert ERROR not in page.text
