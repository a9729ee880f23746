"""Nothing that a stranger sends stays in memory at the length that he chose."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path

import httpx2

from analytics.app import compose
from analytics.bounded_cache import bounded_cache
from analytics.settings import Settings
from analytics.startup import open_resources

MARK = "zq7"
LONG = 12_000
"""Over every bound, and several fit into one request."""
KEPT = 4_096
"""More than what is kept of one event, encoded."""


def test_short_text_is_remembered_and_long_text_is_answered_the_same() -> None:
    asked = []

    @bounded_cache(2, longest=3)
    def double(text: str, *, times: int = 2) -> str:
        asked.append(text)
        return text * times

    for text in ("abc", "abc", "abcd", "abcd"):
        assert double(text) == text * 2
    assert double("abc", times=1) == "abc"
    assert asked == ["abc", "abcd", "abcd", "abc"]


def test_what_is_kept_is_bounded_with_all_that_it_was_asked() -> None:
    asked = []

    @bounded_cache(2, longest=3)
    def joined(text: str, more: str, *, last: str = "", times: int = 1) -> str:
        asked.append(text)
        return (text + more + last) * times

    for _ in range(2):
        assert joined("a", "b", last="c", times=2) == "abcabc"
        assert joined("b", "bcd") == "bbcd"
        assert joined("c", "", last="bcd") == "cbcd"
    assert asked == ["a", "b", "c", "b", "c"]


async def test_long_text_of_strangers_is_kept_nowhere(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        await parts.catalog.people.add("owner@a.example", "a long password", owner=True)
        await _send_everything_long(compose(parts, setup_token=None).gate)
        await parts.settle()
        assert not [*_kept()]


async def _send_everything_long(gate: object) -> None:
    numbers = count()

    def long() -> str:
        return f"{next(numbers)}" + MARK * (LONG // len(MARK))

    transport = httpx2.ASGITransport(gate, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
        for _ in range(3):
            for name in ("user-agent", "accept-language", "referer", "authorization", "origin",
                         "x-forwarded-for", "x-request-id", "cookie"):  # fmt: skip
                for value in (long(), f"Bearer {long()}", f"fe80::1%{long()}"):
                    event = {"n": "pageview", "u": "https://a.example/", "d": "a.example"}
                    await client.post("/api/event", json=event, headers={name: value})
                    await client.get("/pixel.gif?d=a.example", headers={name: value})
                    await client.get("/api/whoami", headers={name: value})
                    await client.get("/a.example", headers={name: value})
            for member, value in {
                "n": long(), "u": f"https://{long()}/", "r": f"https://b.example/{long()}",
                "d": long(), "t": long(), "l": long(), "s": long(), "id": long(), "vid": long(),
                "p": {long(): long()}, "$": {"currency": long(), "amount": long()}, "h": long(),
                "m": long(), "ip": long(), "user_agent": long(),
            }.items():  # fmt: skip
                event = {"n": "pageview", "u": "https://a.example/", "d": "a.example"}
                await client.post("/api/event", json={**event, member: value})
                await client.post("/api/events", json=[{**event, member: value}])
            for url in (f"https://a.example/{long()}", f"https://a.example/?utm_source={long()}"):
                event = {"n": "pageview", "u": url, "r": url, "d": "a.example"}
                await client.post("/api/event", json=event)
            form = {"email": long(), "password": long(), "next": long()}
            await client.post("/login", data=form, headers={"origin": "http://a.example"})
            await client.get(f"/{long()}", params={long(): long()})


def _kept() -> Iterator[str]:
    """The first characters of each long text, and what keeps it."""
    gc.collect()
    for holder in gc.get_objects():
        if getattr(holder, "__module__", "") == "urllib.parse":
            continue  # the standard library keeps 128 addresses, of at most 64 KiB each here
        waiting = [holder]
        while waiting:
            for inner in gc.get_referents(waiting.pop()):
                if isinstance(inner, str | bytes):
                    text = inner if isinstance(inner, str) else inner.decode("latin-1")
                    if len(text) > KEPT and MARK * 9 in text:
                        yield f"{text[:40]} in {getattr(holder, '__module__', type(holder))}"
                elif isinstance(inner, dict | tuple) and not gc.is_tracked(inner):
                    waiting.append(inner)


def test_what_is_kept_is_found() -> None:
    remembered = lru_cache(9)(len)
    remembered(MARK * LONG)
    assert [*_kept()]
    remembered.cache_clear()
