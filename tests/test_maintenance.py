"""The upkeep of a server: one duty, or one site, that fails holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from analytics.admin.workspace import ErasesEverywhere
from analytics.errors import StoreUnavailable
from analytics.maintenance import apply_retention, duties
from analytics.resources import Resources, ServingStore
from analytics.settings import Settings
from analytics.startup import open_resources
from analytics.store.base import Progress
from analytics.testing.builders import numbered_hit

DAY_MS = 86_400_000
SITES = ("a.example", "b.example", "c.example")


class Failing:
    """The store of *parts*, where the retention of some sites fails."""

    def __init__(self, parts: Resources, errors: dict[str, Exception]) -> None:
        self._store = parts.store
        self._erases = parts.erases
        self._errors = errors
        self.built = 0

    async def retain(self, site: str, before_ms: int) -> int:
        if site in self._errors:
            raise self._errors[site]
        return await self._erases.retain(site, before_ms)

    async def compaction_due(self) -> bool:
        return await self._erases.compaction_due()

    async def compact(self, progress: Progress = lambda _: None) -> None:
        await self._erases.compact(progress)

    async def build_cells(self, now: int) -> int:
        self.built += 1
        return await self._store.build_cells(now)


def failing(parts: Resources, errors: dict[str, Exception]) -> tuple[Resources, Failing]:
    store = Failing(parts, errors)
    return replace(
        parts, store=cast("ServingStore", store), erases=cast("ErasesEverywhere", store)
    ), store


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Resources]:
    """Three sites that keep 30 days, each with an event of yesterday and one of long ago."""
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        now = parts.clock()
        for domain in SITES:
            site = await parts.catalog.sites.add(domain, timezone="Etc/UTC")
            await parts.catalog.sites.edit(
                site.domain, lambda site: structs.replace(site, retention_days=30)
            )
            for age in (1, 90):
                then = now - age * DAY_MS
                event = structs.replace(numbered_hit(age, site=domain), ts=then, received_at=then)
                await parts.log.append([event])
        await parts.settle()
        yield parts


async def left(parts: Resources) -> list[int]:
    return [sum((await parts.store.recount(site)).values()) for site in SITES]


@pytest.mark.parametrize("error", [OverflowError("date"), StoreUnavailable("Kafka is away")])
async def test_a_site_whose_retention_fails_holds_up_no_other(
    parts: Resources, error: Exception
) -> None:
    broken, _ = failing(parts, {"a.example": error})
    with (
        capture_logs() as logs,
        pytest.raises(ExceptionGroup, match="failed for 1 of 3 sites") as raised,
    ):
        await apply_retention(broken)
    assert raised.value.exceptions == (error,)
    assert await left(parts) == [2, 1, 1]
    failed = [each for each in logs if each["event"] == "retention_failed"]
    assert [each["site"] for each in failed] == ["a.example"]
    await apply_retention(parts)
    assert await left(parts) == [1, 1, 1]


async def test_duties_go_on_while_another_fails(parts: Resources) -> None:
    broken, store = failing(parts, {site: OverflowError("date") for site in SITES})
    loops = {loop.state.name: loop for loop in duties(broken)}
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        for loop in loops.values():
            await stack.enter_async_context(loop)
        for _ in range(2):
            failures, successes = loops["retention"].state.failures, loops["cells"].state.successes
            while loops["retention"].state.failures == failures:
                await asyncio.sleep(0.005)
            while loops["cells"].state.successes == successes:
                await asyncio.sleep(0.005)
            for loop in loops.values():
                loop.wake()
    assert store.built >= 2
    assert loops["salts"].state.successes >= 1
    assert loops["retention"].state.successes == 0


async def test_no_cells_are_built_while_days_are_deleted(parts: Resources) -> None:
    class Watched(Failing):
        under_way: list[str] = []  # noqa: RUF012 - of this test alone

        async def retain(self, site: str, before_ms: int) -> int:
            return await self._alone("retain", lambda: super(Watched, self).retain(site, before_ms))

        async def build_cells(self, now: int) -> int:
            return await self._alone("cells", lambda: super(Watched, self).build_cells(now))

        async def _alone(self, what: str, step: Callable[[], Awaitable[int]]) -> int:
            assert self.under_way == []
            self.under_way.append(what)
            await asyncio.sleep(0.01)
            result = await step()
            self.under_way.remove(what)
            return result

    store = Watched(parts, {})
    watched = replace(
        parts, store=cast("ServingStore", store), erases=cast("ErasesEverywhere", store)
    )
    loops = {loop.state.name: loop for loop in duties(watched)}
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        for loop in loops.values():
            await stack.enter_async_context(loop)
        while min(loops[name].state.successes for name in ("retention", "cells")) < 3:
            for loop in loops.values():
                loop.wake()
            await asyncio.sleep(0.005)
    assert {name: loop.state.failures for name, loop in loops.items() if loop.state.failures} == {}
