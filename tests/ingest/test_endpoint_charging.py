"""A sender is charged for what it sends: events, sites and bytes, however it packs them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.ingest.world import NOW, SITE, Answer, Ingesting, event, ingesting

from analytics import bounds
from analytics.limiter import Limiter
from analytics.person import Scope

BURST = 60
STRANGER = "203.0.113.9"
"""A peer that is not this machine: it has limits."""
LONG = {"p": {str(number): "x" * 1_000 for number in range(9)}}
"""Two and a bit of what counts as one event, in bytes."""


@pytest.fixture
async def charging(tmp_path: Path) -> AsyncIterator[Ingesting]:
    """A limit of so much that no time that the test takes makes more of it."""
    limiter, key_limiter = Limiter(1e-6, BURST), Limiter(1e-6, BURST)
    async with ingesting(tmp_path, limiter=limiter, key_limiter=key_limiter) as world:
        yield world


async def one(world: Ingesting, **changes: object) -> Answer:
    return await world.post(event(**changes), peer=STRANGER)


async def many(world: Ingesting, count: int, secret: str = "", **changes: object) -> Answer:
    body = json.dumps([event(**changes)] * count).encode()
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return await world.ask("POST", "/api/events", body, peer=STRANGER, **headers)


async def pixel(world: Ingesting, **changes: str) -> Answer:
    asked = {"d": SITE, "u": f"https://{SITE}/", **changes}
    query = "&".join(f"{name}={quote(value)}" for name, value in asked.items())
    return await world.ask("GET", "/pixel.gif", query=query, peer=STRANGER)


async def left(world: Ingesting) -> int:
    """How many plain events the sender may still send."""
    for count in range(BURST + 1):
        if (await one(world)).status == 429:
            return count
    return BURST


Send = Callable[[Ingesting], Awaitable[Answer]]
SITES = {"d": ",".join([SITE] + [f"{number}.example" for number in range(9)])}


@pytest.mark.parametrize(
    ("send", "charged"),
    [
        (lambda world: one(world), 1),
        (lambda world: one(world, **LONG), 3),
        (lambda world: one(world, **SITES), 10),
        (lambda world: pixel(world), 1),
        (lambda world: pixel(world, **SITES), 10),
        (lambda world: many(world, 1), 1),
        (lambda world: many(world, 20), 20),
        (lambda world: many(world, 2, **LONG), 5),
        (lambda world: many(world, 3, **SITES), 30),
    ],
)
async def test_what_is_sent_is_charged_by_what_it_holds(
    charging: Ingesting, send: Send, charged: int
) -> None:
    assert (await send(charging)).status in (200, 202)
    assert await left(charging) == BURST - charged


async def test_a_batch_that_is_over_the_limit_is_refused_before_any_work(
    charging: Ingesting,
) -> None:
    assert (await many(charging, BURST - 5)).status == 200
    kept = len(await charging.records())
    refused = await many(charging, 10)
    assert (refused.status, refused.json["code"]) == (429, "too_many")
    assert len(await charging.records()) == kept


async def test_ten_batches_hold_no_more_than_their_sender_may_send(charging: Ingesting) -> None:
    for _ in range(10):
        await many(charging, bounds.OPEN_BATCH_EVENTS)
    assert len(await charging.records()) <= 2 * bounds.OPEN_BATCH_EVENTS


async def test_a_key_is_charged_by_hundreds_and_its_address_by_requests(
    charging: Ingesting,
) -> None:
    secret = await charging.key(Scope.EVENTS_WRITE)
    sent = 0
    while (await many(charging, 250, secret)).status == 200:
        sent += 1
    assert sent == BURST // 3
    assert await left(charging) == BURST - sent - 1
    assert charging.now == NOW


def test_a_body_is_charged_by_its_events_or_its_bytes_whichever_are_more() -> None:
    assert [bounds.units(1, 0), bounds.units(1, 4096), bounds.units(1, 4097)] == [1, 1, 2]
    assert [bounds.units(7, 4097), bounds.units(0, 1 << 20)] == [7, 256]
