"""The stream of current visitors follows the store."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import pytest
from msgspec import structs
from starlette.requests import Request
from tests.dashboard.world import NOW, PASSWORD, VIEWER

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext
from analytics.dashboard.live import messages
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.session import COOKIE
from analytics.dashboard.stream_limits import StreamLimits
from analytics.errors import StoreUnavailable, TooMany
from analytics.event import Drop, DropReason
from analytics.person import Person
from analytics.site import Site
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
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
def followed(deps: DashboardContext, signal: Signal) -> DashboardContext:
    return dataclasses.replace(deps, changed=signal)


async def _next(stream: AsyncIterator[str]) -> dict[str, object]:
    message = await anext(stream)
    assert message.startswith("event: now\ndata: ")
    assert message.endswith("\n\n")
    found: dict[str, object] = json.loads(message.splitlines()[1].removeprefix("data: "))
    return found


async def test_it_speaks_at_once_and_after_each_change(
    followed: DashboardContext, signal: Signal, store: DuckDBStore
) -> None:
    stream = messages(followed, HERE, beat_s=FOREVER_S, pause_s=0)
    assert 2000 <= int((await anext(stream)).removeprefix("retry: ")) <= 5000
    assert await _next(stream) == {"visitors": 0, "seen": False, "stored": False}
    await store.write(batch([hit(NOW - 1000)]))
    signal.said.put_nowait(True)
    assert await _next(stream) == {"visitors": 1, "seen": True, "stored": True}


async def test_it_speaks_by_the_clock_when_nothing_is_stored(followed: DashboardContext) -> None:
    stream = messages(followed, HERE, beat_s=0, pause_s=0)
    await anext(stream)
    assert (await _next(stream))["stored"] is False
    assert (await _next(stream))["stored"] is False


async def test_it_ends_with_the_program(followed: DashboardContext, signal: Signal) -> None:
    signal.said.put_nowait(False)
    stream = messages(followed, HERE, beat_s=FOREVER_S, pause_s=0)
    assert len([message async for message in stream]) == 2


async def test_an_old_event_makes_nobody_current(
    followed: DashboardContext, store: DuckDBStore
) -> None:
    await store.write(batch([hit(NOW - 5 * 60_000 - 1)]))
    stream = messages(followed, HERE, pause_s=0)
    await anext(stream)
    assert await _next(stream) == {"visitors": 0, "seen": True, "stored": False}


async def test_a_store_that_is_away_does_not_end_the_stream(followed: DashboardContext) -> None:
    class Away:
        async def current(self, now: int) -> Mapping[str, int]:
            raise StoreUnavailable("away")

    away = dataclasses.replace(followed, store=Away())  # type: ignore[arg-type]
    stream = messages(away, HERE, beat_s=0, pause_s=0)
    await anext(stream)
    assert (await anext(stream)).startswith(":")
    assert (await anext(stream)).startswith(":")


async def test_it_lets_go_of_a_server_that_stops(followed: DashboardContext) -> None:
    leaving = dataclasses.replace(followed, stopping=lambda: True)
    stream = messages(leaving, HERE, beat_s=FOREVER_S, pause_s=0)
    assert len([message async for message in stream]) == 2


async def test_however_many_look_it_is_found_out_once(
    followed: DashboardContext, signal: Signal, store: DuckDBStore
) -> None:
    class Counted:
        asked = 0

        async def current(self, now: int) -> Mapping[str, int]:
            self.asked += 1
            return await store.current(now)

        async def first_event(self, site: str) -> int | None:
            self.asked += 1
            return await store.first_event(site)

        async def foreign_hosts(
            self, site: str, since: int, most: int
        ) -> Sequence[tuple[str, int]]:
            self.asked += 1
            return await store.foreign_hosts(site, since, most)

    counted = Counted()
    shared = dataclasses.replace(followed, store=counted)  # type: ignore[arg-type]
    streams = [messages(shared, HERE, beat_s=FOREVER_S, pause_s=0) for _ in range(50)]
    for stream in streams:
        await anext(stream)
    told = await asyncio.gather(*map(_next, streams))
    assert told == [{"visitors": 0, "seen": False, "stored": False}] * 50
    assert counted.asked == 3
    signal.said.put_nowait(True)
    told = await asyncio.gather(*map(_next, streams))
    assert told == [{"visitors": 0, "seen": False, "stored": True}] * 50
    assert counted.asked == 6
    for stream in streams:
        await stream.aclose()
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "board"]


async def test_it_ends_after_a_while_and_the_page_asks_for_another(
    followed: DashboardContext,
) -> None:
    stream = messages(followed, HERE, beat_s=0, pause_s=0, most_s=0)
    assert len([message async for message in stream]) == 1


async def test_it_ends_with_the_right_to_see_the_site(followed: DashboardContext) -> None:
    rights = [True, True, False]

    async def may_see() -> bool:
        return rights.pop(0)

    stream = messages(followed, HERE, may_see=may_see, beat_s=0, pause_s=0)
    assert len([message async for message in stream]) == 3
    assert rights == []


Change = Callable[[SqliteCatalog, str], Awaitable[object]]


async def _log_out(catalog: SqliteCatalog, token: str) -> None:
    await catalog.people.log_out(token)


async def _remove_person(catalog: SqliteCatalog, token: str) -> None:
    await catalog.people.remove(VIEWER)


async def _remove_site(catalog: SqliteCatalog, token: str) -> None:
    await catalog.sites.remove(SITE)


@pytest.mark.parametrize("change", [_log_out, _remove_person, _remove_site])
async def test_the_right_is_that_of_now(
    deps: DashboardContext, peopled: SqliteCatalog, change: Change
) -> None:
    token = await peopled.people.log_in(VIEWER, PASSWORD)
    ask = _ask(deps, token, await peopled.people.logged_in(token))
    assert await ask.may_still_see()
    await change(peopled, token)
    assert not await ask.may_still_see()


async def test_a_site_that_is_no_longer_public_is_not_shown_on(
    deps: DashboardContext, peopled: SqliteCatalog
) -> None:
    site = peopled.sites.get(SITE)
    assert site is not None
    await peopled.sites.edit(site.domain, lambda site: structs.replace(site, public=True))
    ask = _ask(deps, "", None)
    assert await ask.may_still_see()
    await peopled.sites.edit(site.domain, lambda _: site)
    assert not await ask.may_still_see()


def _ask(deps: DashboardContext, token: str, person: Person | None) -> PageRequest:
    headers = [(b"cookie", f"{COOKIE}={token}".encode())] if token else []
    scope = {
        "type": "http",
        "path": f"/{SITE}",
        "path_params": {"domain": SITE},
        "headers": headers,
    }
    return PageRequest(deps, Request(scope), person)


def test_places_are_bounded_for_a_reader_a_site_and_altogether() -> None:
    places = StreamLimits(6, of_site=4, of_reader=2)
    mine = [places.take("a.example", "me") for _ in range(2)]
    with pytest.raises(TooMany):
        places.take("b.example", "me")
    others = [places.take("a.example", name) for name in ("b", "c")]
    with pytest.raises(TooMany):
        places.take("a.example", "d")
    others += [places.take("b.example", name) for name in ("d", "e")]
    with pytest.raises(TooMany):
        places.take("c.example", "f")
    mine[0]()
    mine[0]()  # given back once
    places.take("c.example", "f")
    with pytest.raises(TooMany):
        places.take("c.example", "g")
    for give_back in (*mine, *others):
        give_back()
    assert len(places._open) == 3, "those of the one that is open"


async def test_a_hit_from_another_hostname_is_told_and_is_not_the_first_pageview(
    followed: DashboardContext, signal: Signal, store: DuckDBStore
) -> None:
    site = structs.replace(HERE, other_hostnames=())
    stream = messages(followed, site, beat_s=FOREVER_S, pause_s=0)
    await anext(stream)
    assert await _next(stream) == {"visitors": 0, "seen": False, "stored": False}
    drop = Drop(
        site=SITE, received_at=NOW - 1000, reason=DropReason.FOREIGN_HOST, hostname="shop.test"
    )
    await store.write(batch([drop]))
    signal.said.put_nowait(True)
    told = await _next(stream)
    assert (told["seen"], told["elsewhere"]) == (False, True)
    assert "shop.test" not in str(told), "anybody may read the stream of a public site"
    await store.write(batch([hit(NOW - 900)], start=1))
    signal.said.put_nowait(True)
    assert await _next(stream) == {"visitors": 1, "seen": True, "stored": True}
    await stream.aclose()


async def test_a_machine_does_not_hide_that_others_come_from_another_hostname(
    followed: DashboardContext, store: DuckDBStore
) -> None:
    site = structs.replace(HERE, other_hostnames=())
    drop = Drop(
        site=SITE, received_at=NOW - 1000, reason=DropReason.FOREIGN_HOST, hostname="shop.test"
    )
    await store.write(batch([hit(NOW - 1000, browser="curl", bot="tool"), drop]))
    stream = messages(followed, site, beat_s=FOREVER_S, pause_s=0)
    await anext(stream)
    first = await _next(stream)
    assert (first["seen"], first["machine"], first["elsewhere"]) == (False, "curl", True)
    await stream.aclose()


async def test_a_machine_is_not_the_first_pageview(
    followed: DashboardContext, signal: Signal, store: DuckDBStore
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
