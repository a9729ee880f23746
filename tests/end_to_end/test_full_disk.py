"""A disk that is full: refused and not lost, and taken up again without a restart."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.server import Server

SITE = "full.example"
MB = 1 << 20


class Disk:
    """The server on a small disk, and ballast to fill it with."""

    def __init__(self, where: Path, server: Server, client: httpx2.AsyncClient) -> None:
        self.server = server
        self.client = client
        self.acked: list[str] = []
        self._ballast = where / "ballast"

    def fill(self, *, leave: int) -> None:
        """Leave only *leave* bytes of room."""
        with self._ballast.open("ab", buffering=0) as file:
            while (room := self.room() - leave) > 0:
                try:
                    file.write(bytes(min(room, MB)))
                except OSError:
                    break
                os.fsync(file.fileno())

    def empty(self) -> None:
        self._ballast.unlink()

    def room(self) -> int:
        found = os.statvfs(self._ballast.parent)
        return found.f_bavail * found.f_frsize

    async def post(self, *, size: int = 0) -> httpx2.Response:
        """Send one event with some *size* bytes of properties."""
        event_id = str(uuid.uuid4())
        body: dict[str, object] = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, "vid": "a"}
        # Random, so that it takes its room in the database too.
        body |= {"id": event_id, "p": {str(n): os.urandom(500).hex() for n in range(size // 1000)}}
        answer = await self.client.post("/api/event", json=body)
        if answer.status_code == 202:
            self.acked.append(event_id)
        return answer

    async def health(self) -> tuple[int, dict[str, str]]:
        answer = await self.client.get("/health/ready")
        return answer.status_code, answer.json()["checks"]

    async def becomes_ready(self) -> None:
        async with asyncio.timeout(60):
            while (await self.health())[0] != 200:
                await asyncio.sleep(0.1)

    async def holds_exactly_what_was_acked(self) -> None:
        await self.server.balance()
        stored = [row["event_id"] for row in await self.server.rows(SITE)]
        assert sorted(stored) == sorted(self.acked)


@pytest.fixture
async def disk(small_disk: Path) -> AsyncIterator[Disk]:
    server = Server(small_disk / "data")
    await server.command("site", "add", SITE)
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=30) as client:
            yield Disk(small_disk, server, client)
    finally:
        await server.stop()


@pytest.mark.parametrize("small_disk", [40], indirect=True)
async def test_a_journal_that_cannot_be_written_refuses_until_there_is_room(disk: Disk) -> None:
    await disk.server.start(
        ANALYTICS_JOURNAL__MIN_FREE_BYTES=str(12 * MB),
        ANALYTICS_JOURNAL__SEGMENT_BYTES=str(1 * MB),
    )
    for _ in range(20):
        assert (await disk.post()).status_code == 202
    disk.fill(leave=11 * MB)
    while (answer := await disk.post(size=30_000)).status_code == 202:
        pass  # how much room is left is looked at now and then
    for _ in range(20):
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "log_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        answer = await disk.post()
    status, checks = await disk.health()
    assert status == 503
    assert "MiB left" in checks["journal"]
    disk.empty()
    # Nobody but the balancer asks now: it must learn that there is room without an event.
    await disk.becomes_ready()
    for _ in range(20):
        assert (await disk.post()).status_code == 202
    await disk.holds_exactly_what_was_acked()


@pytest.mark.parametrize("small_disk", [40], indirect=True)
async def test_a_disk_without_a_byte_left_refuses_until_there_is_room(disk: Disk) -> None:
    await disk.server.start(
        ANALYTICS_JOURNAL__MIN_FREE_BYTES="0", ANALYTICS_JOURNAL__SEGMENT_BYTES=str(MB // 4)
    )
    for _ in range(20):
        assert (await disk.post()).status_code == 202
    disk.fill(leave=0)
    statuses = [(await disk.post(size=30_000)).status_code for _ in range(200)]
    assert set(statuses) <= {202, 503}  # what room was laid out already, and then none
    assert statuses[-1] == 503
    status, checks = await disk.health()
    assert status == 503
    assert "can't be written" in checks["journal"]
    disk.empty()
    await disk.becomes_ready()
    assert (await disk.post()).status_code == 202
    await disk.holds_exactly_what_was_acked()


@pytest.mark.parametrize("small_disk", [40], indirect=True)
async def test_figures_that_cannot_be_written_wait_in_the_journal(disk: Disk) -> None:
    await disk.server.start(
        ANALYTICS_JOURNAL__MIN_FREE_BYTES="0", ANALYTICS_JOURNAL__SEGMENT_BYTES=str(4 * MB)
    )
    for _ in range(160):  # into the second segment, whose room is laid out as a whole
        assert (await disk.post(size=30_000)).status_code == 202
    disk.fill(leave=0)
    async with asyncio.timeout(60):
        while (await disk.health())[1]["projector"] == "ok":
            assert (await disk.post(size=10_000)).status_code == 202
    status, checks = await disk.health()
    assert (status, checks["journal"]) == (503, "ok")
    assert (await disk.post()).status_code == 202  # it is durable, though not yet in the figures
    disk.empty()
    await disk.becomes_ready()
    assert (await disk.post()).status_code == 202
    await disk.holds_exactly_what_was_acked()
