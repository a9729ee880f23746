"""An audit finds what somebody changed behind the store's back."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import duckdb
import pytest

from analytics.admin import auditing
from analytics.admin.auditing import Audit, Audited
from analytics.admin.operation_context import OperationContext
from analytics.event import Drop, DropReason
from analytics.settings import Settings
from analytics.startup import open_workspace
from analytics.stream.base import Batch, EventLog, Position
from analytics.testing.builders import numbered_hit

NOW = 1_795_478_400_000


hit = partial(numbered_hit, ts=NOW, received_at=NOW)


async def audit(settings: Settings, site: str | None = None) -> Audited:
    async with open_workspace(settings) as workspace:
        return await auditing.run(workspace, Audit(site=site), OperationContext())


@pytest.fixture
async def data(settings: Settings) -> Path:
    async with open_workspace(settings) as workspace:
        await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
        drop = Drop(site="example.com", received_at=NOW, reason=DropReason.SHIELD_IP)
        await workspace.log.append([*(hit(n) for n in range(10)), hit(3), drop])
        await workspace.settle()
    return settings.data


async def test_what_is_whole_balances(data: Path, settings: Settings) -> None:
    found = await audit(settings)
    assert (found.balanced, found.faults) == (True, [])
    (site,) = found.sites
    assert (site.received, site.stored, site.duplicate, site.dead) == (12, 10, 1, 0)
    assert site.dropped == {"shield-ip": 1}


async def test_nothing_received_balances(settings: Settings) -> None:
    assert await audit(settings) == Audited(balanced=True, sites=[], faults=[])


async def test_a_row_that_went_missing_is_found(data: Path, settings: Settings) -> None:
    with duckdb.connect(str(data / "store.duckdb")) as connection:
        connection.execute("DELETE FROM rows WHERE visitor = 4")
    found = await audit(settings)
    assert not found.balanced
    assert "10 rows are stored, 9 are there" in found.faults[0]


async def test_a_count_that_was_changed_is_found(data: Path, settings: Settings) -> None:
    with duckdb.connect(str(data / "store.duckdb")) as connection:
        connection.execute("UPDATE ledger SET received = received + 1")
    assert not (await audit(settings)).balanced


class Watched:
    """The workspace's log, which knows how many readings of it are open."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.open = 0

    async def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        self.open += 1
        try:
            async with aclosing(self._log.read(start, limit=limit)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.open -= 1

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        return await self._log.ends()


@pytest.mark.usefixtures("data")
async def test_the_log_is_no_longer_read_when_the_store_goes_on(settings: Settings) -> None:
    async with open_workspace(settings) as workspace:
        log, still_open = Watched(workspace.log), []

        @asynccontextmanager
        async def paused() -> AsyncIterator[None]:
            yield
            still_open.append(log.open)

        watched = dataclasses.replace(workspace, log=log, paused=paused)  # type: ignore[arg-type]
        assert (await auditing.run(watched, Audit(), OperationContext())).balanced
    assert still_open == [0]


async def test_damage_in_the_log_is_found(data: Path, settings: Settings) -> None:
    (segment,) = (data / "journal").iterdir()
    content = bytearray(segment.read_bytes())
    content[len(content) // 3] ^= 0xFF
    segment.write_bytes(content)
    found = await audit(settings)
    assert not found.balanced


async def test_hits_that_come_meanwhile_are_told_and_are_in_no_sum(
    data: Path, settings: Settings
) -> None:
    async with open_workspace(settings) as workspace, workspace.paused():

        async def as_it_is() -> None:
            """Let what comes now wait, as hits do that come once an audit counts."""

        @asynccontextmanager
        async def paused() -> AsyncIterator[None]:
            yield

        await workspace.log.append([hit(100 + n) for n in range(7)])
        still = dataclasses.replace(workspace, settle=as_it_is, paused=paused)
        found = await auditing.run(still, Audit(), OperationContext())
    assert (found.balanced, found.waiting) == (True, 7)
    assert found.sites[0].received == 12
