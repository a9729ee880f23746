"""Attacks on a server, each repeated until its time is over; `hostile.py` measures beside them."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
from readers import HEADERS, OWNER, site

WORKERS: Final = 8
"""Requests that an attacker has under way, where an attack is not about connections."""
ATTACKER: Final = "198.51.100.7"
FIREFOX: Final = HEADERS["user-agent"]
_RANDOM: Final = Random(7)


class Attack:
    """A sender of one address, unless a request names another, with a key that reads one site."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.bearer = {"authorization": f"Bearer {key}"}
        limits = httpx2.Limits(max_connections=WORKERS)
        headers = {"x-forwarded-for": ATTACKER, "user-agent": FIREFOX}
        self.client = httpx2.AsyncClient(base_url=url, timeout=60, headers=headers, limits=limits)
        self.statuses: Counter[str] = Counter()

    async def say(self, method: str, path: str, **more: Any) -> None:
        """Make one request, and count how it ended."""
        try:
            answer = await self.client.request(method, path, **more)
        except httpx2.HTTPError as exc:
            self.statuses[type(exc).__name__] += 1
        else:
            self.statuses[str(answer.status_code)] += 1

    async def connect(self, head: str) -> asyncio.StreamWriter | None:
        """Open a connection, say *head*, and leave it open."""
        address = urlsplit(self.url)
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(head.encode())
            await writer.drain()
        except OSError as exc:
            self.statuses[type(exc).__name__] += 1
            return None
        self.statuses["opened"] += 1
        return writer


def event(url: str) -> dict[str, str]:
    """A page view that nobody sent before."""
    return {"n": "pageview", "u": url, "d": site(1), "id": str(uuid4())}


async def huge_items(attack: Attack) -> None:
    """A batch of one event of nearly 5 MB, with a million fields in its query."""
    long = f"https://{site(1)}/{uuid4()}?" + "a=&" * 1_600_000
    await attack.say("POST", "/api/events", content=json.dumps([event(long)]).encode())


async def long_agents(attack: Attack) -> None:
    """60 kB of user agent, another one each time."""
    headers = {"user-agent": f"{FIREFOX} {uuid4()}" + "x" * 60_000}
    await attack.say("GET", "/api/whoami", headers=headers)
    await attack.say("POST", "/api/event", json=event("/"), headers=headers)


async def worst_filters(attack: Attack) -> None:
    """60 kB of colons, and as many as are allowed."""
    for length in (60_000, 4_000):
        # Written out: the client would make three bytes of each colon.
        path = f"/api/v1/stats/aggregate?site_id={site(0)}&period=30d&filters={':' * length}"
        await attack.say("GET", path, headers=attack.bearer)


async def label_ranges(attack: Attack) -> None:
    """Every hour of sixty years, and every day of eight thousand."""
    for interval, date in (
        ("hour", "1966-01-01,2026-01-01"),
        ("date", "1000-01-01,9000-01-01"),
        ("hour", "2025-01-01,2026-02-01"),
    ):
        asked = {"site_id": site(0), "period": "custom", "date": date, "interval": interval}
        await attack.say("GET", "/api/v1/stats/timeseries", params=asked, headers=attack.bearer)


async def big_questions(attack: Attack) -> None:
    """Five thousand filters, and the dearest that are allowed."""
    many = [["is", f"event:props:p{number}", ["x"]] for number in range(5_000)]
    words = [f"{uuid4()}"[:8] for _ in range(90)]
    dear = [["contains", "event:page", words], *(
        ["has_done", ["is", "event:page", [f"/{uuid4()}"]]] for _ in range(5)
    )]  # fmt: skip
    for filters in (many, dear):
        asked = {
            "site_id": site(0),
            "metrics": ["visitors", "visits", "bounce_rate", "views_per_visit"],
            "date_range": "12mo",
            "filters": filters,
            "dimensions": ["event:page", "visit:source"],
        }
        await attack.say("POST", "/api/v2/query", json=asked, headers=attack.bearer)


async def wrong_logins(attack: Attack) -> None:
    """A wrong password for the owner's account, from another network each time."""
    headers = {
        "x-forwarded-for": f"198.18.{_RANDOM.randrange(256)}.{_RANDOM.randrange(256)}",
        "origin": attack.url,
    }
    form = {"email": OWNER, "password": f"wrong {uuid4()}"}
    await attack.say("POST", "/login", data=form, headers=headers)


async def ipv6_network(attack: Attack) -> None:
    """Events from one customer's network, each from another address of it."""
    rest = ":".join(f"{_RANDOM.getrandbits(16):x}" for _ in range(4))
    headers = {"x-forwarded-for": f"2001:db8:1:2:{rest}"}
    await attack.say("POST", "/api/event", json=event(f"https://{site(1)}/"), headers=headers)


async def hold_streams(attack: Attack, until: float) -> None:
    """5,000 streams of a public report's live figures, from a thousand networks."""
    await _hold(
        attack,
        until,
        5_000,
        lambda number: (
            f"GET /{site(0)}/live HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
            f"X-Forwarded-For: 203.0.{number % 4}.{number // 4 % 250}\r\n\r\n"
        ),
    )


async def hold_uploads(attack: Attack, until: float) -> None:
    """600 batches, of as many addresses, that stop short of their last bytes."""
    body = "[" + " " * 250_000
    await _hold(
        attack,
        until,
        600,
        lambda number: (
            f"POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1000}\r\n"
            f"X-Forwarded-For: 203.0.{number // 250}.{number % 250}\r\n\r\n{body}"
        ),
    )


async def _hold(attack: Attack, until: float, count: int, head: Callable[[int], str]) -> None:
    """Open so many connections one after the other, hold them, and open those anew that end."""
    writers: list[asyncio.StreamWriter | None] = []
    for number in range(count):
        if time.monotonic() > until:
            break
        writers.append(await attack.connect(head(number)))
    while time.monotonic() < until:
        await asyncio.sleep(1)
        for number, writer in enumerate(writers):
            if time.monotonic() > until:
                break
            if writer is None or writer.is_closing() or writer.transport.is_closing():
                writers[number] = await attack.connect(head(number))
    for writer in writers:
        if writer is not None:
            writer.close()


REPEATED: Final[dict[str, Callable[[Attack], Awaitable[None]]]] = {
    "items": huge_items,
    "agents": long_agents,
    "filters": worst_filters,
    "labels": label_ranges,
    "questions": big_questions,
    "logins": wrong_logins,
    "ipv6": ipv6_network,
}
HELD: Final[dict[str, Callable[[Attack, float], Awaitable[None]]]] = {
    "streams": hold_streams,
    "uploads": hold_uploads,
}
ATTACKS: Final = (*REPEATED, *HELD)


async def attack_for(name: str, url: str, key: str, seconds: float) -> None:
    """Be the attacker; print how the requests ended."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attack, until = Attack(url, key), time.monotonic() + seconds
    if name in HELD:
        await HELD[name](attack, until)
    else:

        async def again() -> None:
            while time.monotonic() < until:
                await REPEATED[name](attack)

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(again())
    print(json.dumps(attack.statuses))
