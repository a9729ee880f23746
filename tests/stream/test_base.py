"""What was appended can be waited for, before its end and after."""

from __future__ import annotations

import asyncio

import pytest

from analytics.errors import LogUnavailable
from analytics.stream.base import Appending, Position


async def test_an_end_is_waited_for() -> None:
    appending = Appending([Position(0, 7)])
    waiting = asyncio.create_task(asyncio.wait_for(appending, 60))
    await asyncio.sleep(0)
    appending.end()
    assert await waiting == [Position(0, 7)]


async def test_who_waits_after_the_end_need_not() -> None:
    appending = Appending([Position(0, 7)])
    appending.end()
    told: list[Appending] = []
    appending.then(told.append)
    assert told == [appending]
    assert await appending == [Position(0, 7)]


async def test_a_failure_is_raised_before_and_after_the_end() -> None:
    appending = Appending([Position(0, 7)])
    waiting = asyncio.create_task(asyncio.wait_for(appending, 60))
    await asyncio.sleep(0)
    appending.end(LogUnavailable("full"))
    with pytest.raises(LogUnavailable):
        await waiting
    with pytest.raises(LogUnavailable):
        await appending
