"""One sender holds a few connections, and leaves the others theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import uvicorn
from tests.gateway.test_connection_limits import WHOLE, Peer, echo

from analytics.errors import TooMany
from analytics.gateway.connection_limits import protocol
from analytics.gateway.sender_connections import SenderConnections, stranger
from analytics.gateway.uploads import Uploads
from analytics.ingest.client import TrustedProxies

MOST = 3


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server for which this machine, the only one that a test has, is a sender as any other."""
    senders = SenderConnections(MOST, lambda peer: peer)
    server = uvicorn.Server(
        uvicorn.Config(
            echo, port=0, http=protocol(Uploads(), senders), lifespan="off", log_config=None
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def is_answered(port: int) -> bool:
    async with Peer(port) as peer:
        await peer.send(WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        return (await peer.rest()).startswith(b"HTTP/1.1 200 ")


async def test_one_sender_holds_few_connections_and_others_are_served(port: int) -> None:
    async with AsyncExitStack() as held:
        peers = [await held.enter_async_context(Peer(port)) for _ in range(MOST)]
        for peer in peers:
            await peer.send(WHOLE)
            assert await peer.answer() == b"HTTP/1.1 200 OK"
        async with Peer(port) as refused:
            answer = await refused.rest()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"holds 3 connections" in answer
        assert b"retry-after" in answer.lower()
        for peer in peers:  # those that it has go on
            await peer.send(WHOLE)
            assert await peer.answer() == b"HTTP/1.1 200 OK"
    async with asyncio.timeout(30):
        while not await is_answered(port):  # until the server has seen that they are closed
            await asyncio.sleep(0.01)


def test_what_is_closed_is_counted_no_more_and_nothing_is_kept_of_it() -> None:
    senders = SenderConnections(2)
    first, second = senders.open("203.0.113.7"), senders.open("203.0.113.7")
    with pytest.raises(TooMany):
        senders.open("203.0.113.7")
    senders.open("203.0.113.8")
    senders.close(first)
    assert senders.open("203.0.113.7") == second
    assert SenderConnections(0).open("203.0.113.7")


def test_a_customer_of_ipv6_is_one_sender() -> None:
    senders = SenderConnections(1)
    senders.open("2001:db8::1")
    with pytest.raises(TooMany):
        senders.open("2001:db8::2")
    senders.open("2001:db8:0:1::1")


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("10.0.0.7", ""),
        ("fd00::7", ""),
        ("::ffff:192.168.0.7", ""),
        ("198.51.100.9", ""),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_proxies_and_private_networks_are_not_counted(peer: str, name: str) -> None:
    assert stranger(TrustedProxies(["198.51.100.0/24"]), peer) == name
