"""A real HAProxy's servers follow the registry, whatever of the three is away for a while."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack

import httpx2
import pytest
from tests.balancer.conftest import Upstream
from tests.front.haproxy import HAProxy

from analytics.balancer import plan
from analytics.balancer.plan import PREFIX
from analytics.balancer.reconcile import Reconciler
from analytics.balancer.runtime import Runtime, ServerState
from analytics.errors import RegistryUnavailable, Unavailable
from analytics.registry.base import Listed
from analytics.registry.memory import MemoryRegistry
from analytics.resources import clock
from analytics.settings import DiscoverSettings

pytestmark = pytest.mark.front

LEASE_S = 1000.0
SETTINGS = DiscoverSettings(
    server_options="check inter 200ms fall 2 rise 1", every_s=0.05, drain_s=0.5
)

Three = tuple[Upstream, Upstream, Upstream]


class Book(MemoryRegistry):
    """A registry that can be away, and in which replicas can be taken out of service."""

    away = False
    out_of_service: AbstractSet[str] = frozenset()

    async def replicas(self) -> Sequence[Listed]:
        if self.away:
            raise RegistryUnavailable("it is away")
        return [
            each._replace(out_of_service=each.replica.address in self.out_of_service)
            for each in await super().replicas()
        ]


class Now:
    """A clock that moves when the test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def book() -> Book:
    return Book(LEASE_S, clock=clock)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def follower(book: Book, runtime: Runtime, now: Now) -> Reconciler:
    return Reconciler(book, runtime, SETTINGS, lease_s=LEASE_S, clock=now)


async def ours(runtime: Runtime, backend: str = "ingest") -> dict[str, ServerState]:
    """The servers that were made here, by address."""
    servers = (await runtime.servers())[backend].values()
    return {each.address: each.state for each in servers if each.name.startswith(PREFIX)}


async def until(
    follower: Reconciler, fine: Callable[[dict[str, ServerState]], bool]
) -> dict[str, ServerState]:
    """Rounds until the servers are as they should be."""
    while not fine(there := await ours(follower._runtime)):
        await follower.round()
        await asyncio.sleep(0.05)
    return there


async def test_replicas_come_and_go(
    follower: Reconciler,
    book: Book,
    runtime: Runtime,
    client: httpx2.AsyncClient,
    upstreams: Three,
) -> None:
    one, two, _ = upstreams
    await book.announce(one.replica("ingest", "dashboard", "admin"))
    await book.announce(two.replica("ingest"))
    first = await follower.round()
    assert first.faults == []
    assert first.done == [
        f"ingest/discovered-{address} added" for address in sorted([one.address, two.address])
    ] + [f"{each}/discovered-{one.address} added" for each in ("dashboard", "admin")]
    assert await ours(runtime, "dashboard") == {one.address: ServerState.READY}
    heard = {(await client.get("/api/event")).text for _ in range(10)}
    assert heard == {one.address, two.address}
    assert (await follower.round()).done == [], "what is equal is left alone"
    await book.withdraw(two.address)
    assert (await follower.round()).done == [f"ingest/discovered-{two.address} draining"]
    heard = {(await client.get("/api/event")).text for _ in range(10)}
    assert heard == {one.address}
    await until(follower, lambda there: there == {one.address: ServerState.READY})


async def test_what_a_leaving_server_has_begun_it_ends_if_it_does_so_in_time(
    follower: Reconciler,
    book: Book,
    now: Now,
    client: httpx2.AsyncClient,
    upstreams: Three,
) -> None:
    one, two, _ = upstreams
    await book.announce(two.replica())
    await follower.round()
    slow = asyncio.create_task(client.get("/api/event?slow"))
    await two.waiting.wait()
    await book.announce(one.replica())
    await follower.round()
    await book.withdraw(two.address)
    await follower.round()
    await follower.round()
    assert (await ours(follower._runtime))[two.address] is ServerState.DRAIN
    two.finish.set()
    assert (await slow).text == two.address
    await until(follower, lambda there: there == {one.address: ServerState.READY})


async def test_a_leaving_server_that_does_not_finish_in_time_is_cut_off(
    follower: Reconciler, book: Book, now: Now, client: httpx2.AsyncClient, upstreams: Three
) -> None:
    one, two, _ = upstreams
    await book.announce(two.replica("dashboard"))
    await follower.round()
    slow = asyncio.create_task(client.get("/slow"))
    await two.waiting.wait()
    await book.announce(one.replica("dashboard"))
    await follower.round()
    await book.withdraw(two.address)
    for _ in range(3):
        await follower.round()
    assert (await ours(follower._runtime, "dashboard"))[two.address] is ServerState.DRAIN
    now.at += SETTINGS.drain_s
    while two.address in await ours(follower._runtime, "dashboard"):
        await follower.round()
        await asyncio.sleep(0.05)
    assert (await slow).status_code >= 500


async def test_who_comes_back_while_it_drains_is_given_work_again(
    follower: Reconciler, book: Book, runtime: Runtime, client: httpx2.AsyncClient, upstreams: Three
) -> None:
    one, two, _ = upstreams
    await book.announce(one.replica())
    await book.announce(two.replica())
    await follower.round()
    await book.withdraw(two.address)
    await follower.round()
    assert (await ours(runtime))[two.address] is ServerState.DRAIN
    await book.announce(two.replica())
    await follower.round()
    assert await ours(runtime) == {one.address: ServerState.READY, two.address: ServerState.READY}
    assert {(await client.get("/api/event")).text for _ in range(10)} == {one.address, two.address}


async def test_while_the_registry_is_away_everything_stays(
    follower: Reconciler, book: Book, runtime: Runtime, now: Now, upstreams: Three
) -> None:
    one, two, three = upstreams
    for each in upstreams:
        await book.announce(each.replica())
    await follower.round()
    book.away = True
    found = await follower.round()
    assert (
        "the registry is unavailable, so all servers stay as they are: it is away" in found.faults
    )
    # It comes back empty, and hears of one after the other.
    book.away = False
    book._listed.clear()
    assert (await follower.round()).done == []
    await book.announce(one.replica())
    assert (await follower.round()).done == []
    await book.announce(two.replica())
    now.at += LEASE_S
    await follower.round()
    assert await ours(runtime) == {
        one.address: ServerState.READY,
        two.address: ServerState.READY,
        three.address: ServerState.DRAIN,
    }


async def test_a_restarted_haproxy_is_filled_again(
    follower: Reconciler, book: Book, haproxy: HAProxy, runtime: Runtime, upstreams: Three
) -> None:
    await book.announce(upstreams[0].replica())
    await follower.round()
    haproxy.kill()
    with pytest.raises(Unavailable, match="HAProxy does not answer"):
        await follower.round()
    await haproxy.start(ready=False)
    assert await ours(runtime) == {}
    await follower.round()
    assert await ours(runtime) == {upstreams[0].address: ServerState.READY}


async def test_a_reload_of_haproxy_costs_no_request(
    book: Book, runtime: Runtime, haproxy: HAProxy, client: httpx2.AsyncClient, upstreams: Three
) -> None:
    haproxy.kill()
    del haproxy.settings["FRONT_REPLICA_1"]  # all that it has, it has by discovery
    await haproxy.start(ready=False)
    for each in upstreams[:2]:
        await book.announce(each.replica(*plan.MODULES))
    paths = ("/api/event", "/", "/admin/")
    sending: list[asyncio.Task[httpx2.Response]] = []
    async with Reconciler(book, runtime, DiscoverSettings(), lease_s=LEASE_S):
        for backend in plan.MODULES:
            while len(await working(runtime, backend)) < 2:
                await asyncio.sleep(0.05)
        for number in range(600):
            if number in (100, 250, 400):
                haproxy.reload()
            sending.append(asyncio.create_task(client.post(paths[number % 3])))
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*sending)
    assert Counter(each.status_code for each in answers) == {200: 600}
    assert {each.text for each in answers} == {each.address for each in upstreams[:2]}


async def working(runtime: Runtime, backend: str) -> list[str]:
    """The servers that were made here and that are given work."""
    servers = (await runtime.servers())[backend].values()
    return [each.name for each in servers if each.name.startswith(PREFIX) and each.up]


async def test_a_server_is_given_as_much_at_once_as_its_backend_says(
    book: Book, runtime: Runtime, haproxy: HAProxy, upstreams: Three
) -> None:
    """As much as one that stands in haproxy.cfg: `default-server` does not hold for those added."""
    one = upstreams[0]
    await book.announce(one.replica(*plan.MODULES))
    await Reconciler(book, runtime, DiscoverSettings(), lease_s=LEASE_S).round()
    limits = {(line["pxname"], line["svname"]): line["slim"] for line in haproxy.statistics()}
    for backend in plan.MODULES:
        added = limits[backend, f"{PREFIX}{one.address}"]
        assert added == limits[backend, "replica-1"], backend
    assert limits["ingest", f"{PREFIX}{one.address}"] == "128"


async def test_who_is_out_of_service_is_drained_and_given_work_again_later(
    follower: Reconciler, book: Book, runtime: Runtime, upstreams: Three
) -> None:
    one, two, _ = upstreams
    await book.announce(one.replica())
    await book.announce(two.replica())
    await until(
        follower,
        lambda there: there == dict.fromkeys((one.address, two.address), ServerState.READY),
    )
    while len(await working(runtime, "ingest")) < 2:
        await asyncio.sleep(0.05)
    book.out_of_service = {one.address}
    await until(follower, lambda there: there == {two.address: ServerState.READY})
    book.out_of_service = {one.address, two.address}
    assert (await follower.round()).done == [], "the last that works stays"
    book.out_of_service = set()
    await until(
        follower,
        lambda there: there == dict.fromkeys((one.address, two.address), ServerState.READY),
    )


async def test_who_begins_anew_goes_on_where_another_ended(
    book: Book, runtime: Runtime, upstreams: Three
) -> None:
    one, two, _ = upstreams
    await book.announce(one.replica())
    path = f"ingest/{PREFIX}{one.address}"
    await runtime.add(path, one.address, SETTINGS.server_options)  # and there it was killed
    await runtime.add(f"ingest/{PREFIX}{two.address}", two.address, SETTINGS.server_options)
    begun = Reconciler(book, runtime, SETTINGS, lease_s=LEASE_S)
    await until(begun, lambda there: there == {one.address: ServerState.READY})


async def test_several_at_once_get_to_the_same(
    book: Book, runtime: Runtime, upstreams: Three
) -> None:
    one, two, three = upstreams
    followers = [Reconciler(book, runtime, SETTINGS, lease_s=0) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for each in followers:
            await stack.enter_async_context(each)
        for wanted in ([one], [one, two, three], [two], [one, three], [two, three]):
            for each in upstreams:
                if each in wanted:
                    await book.announce(each.replica())
            for each in upstreams:
                if each not in wanted:
                    await book.withdraw(each.address)
            goal = {each.address: ServerState.READY for each in wanted}
            while await ours(runtime) != goal:
                assert not any(each.loop.state.failures for each in followers)
                await asyncio.sleep(0.02)
        assert [each._reported for each in followers] == [frozenset()] * 3


async def test_names_are_looked_up_and_what_is_no_address_is_left_out(
    follower: Reconciler, book: Book, runtime: Runtime, upstreams: Three
) -> None:
    one = upstreams[0]
    port = one.address.rpartition(":")[2]
    for address in (
        f"localhost:{port}",
        "nowhere.invalid:1",
        "10.0.0.1:1 check;shutdown frontend front",
    ):
        await book.announce(
            type(one.replica())(address=address, modules=("ingest",), version="1", started_at=1)
        )
    found = await follower.round()
    assert await ours(runtime) == {one.address: ServerState.READY}
    assert len(found.faults) == 2
    assert any("nowhere.invalid:1 cannot be resolved" in fault for fault in found.faults)
    assert any("which is not an address" in fault for fault in found.faults)


async def test_servers_of_others_are_left_alone(
    follower: Reconciler, book: Book, runtime: Runtime, upstreams: Three
) -> None:
    await runtime.add("ingest/somebody-else", upstreams[1].address, "")
    await book.announce(upstreams[0].replica())
    await follower.round()
    there = (await runtime.servers())["ingest"]
    assert there["somebody-else"].state is ServerState.MAINTENANCE
    assert there["replica-1"].state is ServerState.READY
