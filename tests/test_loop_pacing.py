"""Whoever comes in a crowd leaves the event loop time for others."""

from __future__ import annotations

import asyncio

from analytics.loop_pacing import LoopPacer


async def test_a_crowd_goes_in_one_by_one_and_in_order() -> None:
    turnstile = LoopPacer()
    seen: list[int | str] = []

    async def visit(number: int) -> None:
        await turnstile.enter()
        seen.append(number)

    async def tick() -> None:
        while True:
            seen.append("tick")
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(visit(number) for number in range(40)))
    ticking.cancel()
    visits = [each for each in seen if each != "tick"]
    assert visits == list(range(40))
    between = " ".join("." if each == "tick" else "v" for each in seen)
    assert "v v" not in between


async def test_who_leaves_the_line_holds_nobody_up() -> None:
    turnstile = LoopPacer()
    line = [asyncio.create_task(turnstile.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    line[0].cancel()
    line[1].cancel()
    async with asyncio.timeout(60):
        await line[2]
