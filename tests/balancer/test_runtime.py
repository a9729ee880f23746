"""The runtime socket of a real HAProxy is understood, and does what it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from tests.balancer.conftest import Upstream
from tests.front import haproxy as front
from tests.front.haproxy import HAProxy

from analytics.balancer.runtime import Runtime, ServerState
from analytics.errors import Misconfigured, Unavailable

pytestmark = pytest.mark.front

CHECK = "check inter 100ms fall 1 rise 1"
PATH = "ingest/discovered-1"


async def test_a_server_is_added_drained_and_removed(
    runtime: Runtime, client: httpx2.AsyncClient, upstreams: tuple[Upstream, ...]
) -> None:
    one = upstreams[0]
    assert await runtime.add(PATH, one.address, CHECK)
    assert (await runtime.servers())["ingest"]["discovered-1"].state is ServerState.MAINTENANCE
    await runtime.ready(PATH)
    server = (await runtime.servers())["ingest"]["discovered-1"]
    assert (server.state, server.address, server.connections) == (ServerState.READY, one.address, 0)
    assert (await client.get("/api/event")).text == one.address
    slow = asyncio.create_task(client.get("/api/event?slow"))
    await one.waiting.wait()
    await runtime.drain(PATH)
    server = (await runtime.servers())["ingest"]["discovered-1"]
    assert (server.state, server.connections) == (ServerState.DRAIN, 1)
    one.finish.set()
    assert (await slow).text == one.address
    while (await runtime.servers())["ingest"]["discovered-1"].connections:
        await asyncio.sleep(0.02)
    while not await runtime.remove(PATH):
        await asyncio.sleep(0.02)
    assert "discovered-1" not in (await runtime.servers())["ingest"]


async def test_every_command_may_come_twice(
    runtime: Runtime, upstreams: tuple[Upstream, ...]
) -> None:
    assert await runtime.add(PATH, upstreams[0].address, CHECK)
    assert not await runtime.add(PATH, upstreams[0].address, CHECK)
    for _ in range(2):
        await runtime.ready(PATH)
    for _ in range(2):
        await runtime.drain(PATH)
    assert await runtime.remove(PATH)
    assert await runtime.remove(PATH)
    await runtime.drain(PATH)
    await runtime.ready(PATH)
    await runtime.move(PATH, "127.0.0.1", "1")


async def test_a_server_moves(runtime: Runtime, upstreams: tuple[Upstream, ...]) -> None:
    await runtime.add(PATH, upstreams[0].address, CHECK)
    host, _, port = upstreams[1].address.rpartition(":")
    for _ in range(2):
        await runtime.move(PATH, host, port)
    assert (await runtime.servers())["ingest"]["discovered-1"].address == upstreams[1].address


async def test_checks_that_fail_are_seen(runtime: Runtime, upstreams: tuple[Upstream, ...]) -> None:
    one = upstreams[0]
    await runtime.add(PATH, one.address, CHECK)
    await runtime.ready(PATH)
    for ready in (False, True):
        one.ready = ready
        while (await runtime.servers())["ingest"]["discovered-1"].up is not ready:
            await asyncio.sleep(0.02)


async def test_backends_and_servers_of_the_configuration_are_seen(runtime: Runtime) -> None:
    found = await runtime.servers()
    assert (found["ingest"]["replica-1"].address, found["ingest"]["replica-1"].state) == (
        "127.0.0.1:1",
        ServerState.READY,
    )
    assert found.keys() >= {"ingest", "dashboard", "admin"}


async def test_what_haproxy_refuses_is_said_in_its_words(runtime: Runtime) -> None:
    with pytest.raises(Misconfigured, match="no-such-option"):
        await runtime.add(PATH, "127.0.0.1:1", "no-such-option")
    with pytest.raises(Misconfigured, match="No such backend"):
        await runtime.add("nowhere/discovered-1", "127.0.0.1:1", CHECK)


async def test_nobody_at_the_socket_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="HAProxy does not answer at"):
        await Runtime(tmp_path / "nothing.sock").servers()


async def test_a_socket_that_may_not_change_anything_is_named(
    haproxy: HAProxy, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = front.CONFIGURATION.read_text()
    weak = tmp_path / "haproxy.cfg"
    weak.write_text(text.replace(" level admin ", " level user "))
    monkeypatch.setattr(front, "CONFIGURATION", weak)
    haproxy.kill()
    await haproxy.start(ready=False)
    with pytest.raises(Misconfigured, match="level admin"):
        await runtime.add(PATH, "127.0.0.1:1", CHECK)
