"""A server that starts over a gigabyte of unread journal is ready at once, and loses none of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace
from tests.server import Server

from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Hit
from analytics.store.lag import MANY
from analytics.stream.journal import Journal, JournalLimits

SITE = "backlog.example"
BYTES = 1 << 30
TITLE = 1_500
GROUP = 2_000
PATIENCE_S = 60.0


async def backlog(folder: Path, until: int) -> int:
    """Fill the journal in *folder* with *until* bytes that no store has seen; how many hits."""
    now = time.time_ns() // 1_000_000
    title = "x" * TITLE
    count = 0
    async with Journal(folder, JournalLimits(segment_bytes=64 << 20, min_free_bytes=0)) as journal:
        while journal.backlog_bytes < until:
            hits = [
                Hit(
                    event_id=str(uuid.UUID(int=number)),
                    site=SITE,
                    ts=now,
                    received_at=now,
                    visitor=number % 50_000,
                    hostname=SITE,
                    path=f"/{number % 100}",
                    title=title,
                )
                for number in range(count + 1, count + GROUP + 1)
            ]
            await journal.append(hits)
            count += GROUP
    return count


async def lag(client: httpx2.AsyncClient) -> int:
    lines = (await client.get("/metrics")).text.splitlines()
    (line,) = (each for each in lines if each.startswith("analytics_log_lag_records "))
    return int(float(line.split()[1]))


@pytest.mark.drill
@pytest.mark.timeout(600)
async def test_a_start_does_not_wait_for_a_gigabyte_of_backlog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(tmp_path / "data")
    await server.command("site", "add", SITE)
    count = await backlog(server.data / "journal", BYTES)
    began = time.monotonic()
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
            ready = await client.get("/health/ready")
            started = time.monotonic() - began
            body = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, "vid": "new"}
            answer = await client.post("/api/event", json=body)
            first = await lag(client)
            assert (ready.status_code, answer.status_code) == (200, 202)
            assert first > count // 2, "the backlog was worked off before the start was over"
            left = first
            while left and time.monotonic() - began < PATIENCE_S:
                await asyncio.sleep(1)
                left = await lag(client)
            took = time.monotonic() - began
            assert left < first
        with capsys.disabled():
            print(
                f"\n{count:,} hits, {BYTES >> 20} MB: ready after {started:.1f} s;"
                f" {(count - left) / took:,.0f} hits/s, {left:,} left after {took:.0f} s"
            )
        if left == 0:
            (line,) = (await server.balance())["sites"]
            assert (line["received"], line["stored"]) == (count + 1, count + 1)
    finally:
        await server.kill()


async def test_pages_say_how_much_is_still_being_counted(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    await server.command("site", "add", SITE)
    async with SqliteCatalog(server.data / "catalog.sqlite") as catalog:
        await catalog.sites.edit(
            catalog.sites.all()[0].domain, lambda site: replace(site, public=True)
        )
    count = await backlog(server.data / "journal", 64 << 20)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
            pages, left = [], count
            while left:
                page = (await client.get(f"/{SITE}")).text
                left = await lag(client)
                if left >= MANY:  # and more, when the page was made
                    pages.append(page)
            assert pages
            assert all("hits are still being counted" in page for page in pages)
            assert all(">Last 28 days<" in page for page in pages)
            assert "still being counted" not in (await client.get(f"/{SITE}")).text
    finally:
        await server.stop()
