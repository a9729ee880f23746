"""The stream of current visitors follows the store."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.dashboard.world import NOW, SITE, hit

from analytics.dashboard import Dashboard
from analytics.dashboard.live import messages
from analytics.errors import StoreUnavailable
from analytics.site import Site
from analytics.store.duckdb import DuckDBStore
from analytics.testing.sample import batch

HERE = Site(domain=SITE, id="", number=1)
FOREVER_S = 3600.0


class Signal:
    """The store's word that rows came, said by the test; None ends the program."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bool] = asyncio.Queue()

    async def __call__(self) -> AsyncIterator[None]:
        while await self.said.get():
            yield


@pytest.fixture
def signal() -> Signal:
    return Signal()


@pytest.fixture
def followed(deps: Dashboard, signal: Signal) -> Dashboard:
    return dataclasses.replace(deps, changed=signal)


async def _next(stream: AsyncIterator[str]) -> dict[str, object]:
    message = await anext(stream)
    assert message.startswith("event: now\ndata: ")
    assert message.endswith("\n\n")
    found: dict[str, object] = json.loads(message.splitlines()[1].removeprefix("data: "))
    return found


async def test_it_speaks_at_once_and_after_each_change(
    followed: Dashboard, signal: Signal, store: DuckDBStore
) -> None:
    stream = messages(followed, HERE, beat_s=FOREVER_S, pause_s=0)
    assert 2000 <= int((await anext(stream)).removeprefix("retry: ")) <= 5000
    assert await _next(stream) == {"visitors": 0, "seen": False, "stored": False}
    await store.write(batch([hit(NOW - 1000)]))
    signal.said.put_nowait(True)
    assert await _next(stream) == {"visitors": 1, "seen": True, "stored": True}


async def test_it_speaks_by_the_clock_when_nothing_is_stored(followed: Dashboard) -> None:
    stream = messages(followed, HERE, beat_s=0, pause_s=0)
    await anext(stream)
    assert (await _next(stream))["stored"] is False
    assert (await _next(stream))["stored"] is False


async def test_it_ends_with_the_program(followed: Dashboard, signal: Signal) -> None:
    signal.said.put_nowait(False)
    stream = messages(followed, HERE, beat_s=FOREVER_S, pause_s=0)
    assert len([message async for message in stream]) == 2


async def test_an_old_event_makes_nobody_current(followed: Dashboard, store: DuckDBStore) -> None:
    await store.write(batch([hit(NOW - 5 * 60_000 - 1)]))
    stream = messages(followed, HERE, pause_s=0)
    await anext(stream)
    assert await _next(stream) == {"visitors": 0, "seen": True, "stored": False}


async def test_a_store_that_is_away_does_not_end_the_stream(followed: Dashboard) -> None:
    class Away:
        async def current(self, now: int) -> Mapping[str, int]:
            raise StoreUnavailable("away")

    away = dataclasses.replace(followed, store=Away())  # type: ignore[arg-type]
    stream = messages(away, HERE, beat_s=0, pause_s=0)
    await anext(stream)
    assert (await anext(stream)).startswith(":")
    assert (await anext(stream)).startswith(":")


async def test_it_lets_go_of_a_server_that_stops(followed: Dashboard) -> None:
    leaving = dataclasses.replace(followed, stopping=lambda: True)
    stream = messages(leaving, HERE, beat_s=FOREVER_S, pause_s=0)
    assert len([message async for message in stream]) == 2


async def test_a_machine_is_not_the_first_pageview(
    followed: Dashboard, signal: Signal, store: DuckDBStore
) -> None:
    await store.write(batch([hit(NOW - 1000, browser="curl", bot="tool")]))
    stream = messages(followed, HERE, beat_s=FOREVER_S, pause_s=0)
    await anext(stream)
    first = await _next(stream)
    assert (first["seen"], first["machine"]) == (False, "curl")
    await store.write(batch([hit(NOW - 900)], start=1))
    signal.said.put_nowait(True)
    assert await _next(stream) == {"visitors": 1, "seen": True, "stored": True}
    await stream.aclose()
