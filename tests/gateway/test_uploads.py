"""What unfinished requests hold is bounded, for the process and for each sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import uvicorn
from starlette.types import Scope
from tests.gateway.test_connection_limits import WHOLE, Peer, echo

from analytics import bounds
from analytics.errors import UploadsFull
from analytics.gateway.connection_limits import protocol
from analytics.gateway.uploads import Uploads

MOST = 400_000
PIECE = b"x" * 50_000


def by_header(scope: Scope) -> str:
    """Stands for a proxy that is believed: a test has one address only."""
    return dict(scope["headers"])[b"x-sender"].decode()


@pytest.fixture
def uploads() -> Uploads:
    return Uploads(MOST, by_header)


@pytest.fixture
async def port(uploads: Uploads) -> AsyncIterator[int]:
    server = uvicorn.Server(
        uvicorn.Config(echo, port=0, http=protocol(uploads), lifespan="off", log_config=None)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


def head(sender: str, length: int = 1_000_000) -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: x\r\nX-Sender: %b\r\nContent-Length: %d\r\n\r\n" % (
        sender.encode(),
        length,
    )


async def until(uploads: Uploads, held: int) -> None:
    async with asyncio.timeout(30):
        while uploads.held != held:
            await asyncio.sleep(0.01)


async def test_one_sender_holds_a_quarter_at_most_and_others_are_served(
    port: int, uploads: Uploads
) -> None:
    async with Peer(port) as first, Peer(port) as second, Peer(port) as third, Peer(port) as other:
        one = len(PIECE) - bounds.FREE_UPLOAD_BYTES
        await first.send(head("a"), PIECE)
        await second.send(head("a"), PIECE)
        await until(uploads, 2 * one)
        await third.send(head("a"), PIECE)
        refused = await third.rest()
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert b"retry-after: " in refused
        assert b'"code":"uploads_full"' in refused
        await other.send(head("b", len(PIECE)), PIECE)
        assert await other.answer() == b"HTTP/1.1 200 OK"
        await until(uploads, 2 * one)
    await until(uploads, 0)


async def test_all_senders_together_hold_no_more_than_the_process_may(
    port: int, uploads: Uploads
) -> None:
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(Peer(port)) for _ in range(10)]
        for number, peer in enumerate(peers):
            await peer.send(head(f"sender {number}"), PIECE)
        refusals = [await peer.rest() for peer in peers[8:]]
        assert all(refusal.startswith(b"HTTP/1.1 503") for refusal in refusals)
        assert uploads.held <= MOST
        small = await stack.enter_async_context(Peer(port))
        await small.send(WHOLE.replace(b"Host: x", b"Host: x\r\nX-Sender: z"))
        assert await small.answer() == b"HTTP/1.1 200 OK", "an event is not held up"
    await until(uploads, 0)


async def test_what_was_answered_is_held_no_longer(port: int, uploads: Uploads) -> None:
    async with Peer(port) as peer:
        for _ in range(20):
            await peer.send(head("a", len(PIECE)), PIECE)
            assert await peer.answer() == b"HTTP/1.1 200 OK"
            assert uploads.held == 0


async def test_requests_in_a_row_are_counted_until_the_last_is_answered(
    port: int, uploads: Uploads
) -> None:
    async with Peer(port) as peer:
        await peer.send(head("a", 10_000) + PIECE[:10_000] + head("a") + PIECE[:10_000])
        assert await peer.answer() == b"HTTP/1.1 200 OK"
        assert uploads.held >= 10_000 - bounds.FREE_UPLOAD_BYTES
    await until(uploads, 0)


def test_this_machine_has_no_share_of_its_own() -> None:
    uploads = Uploads(MOST)
    uploads.take("", MOST)
    with pytest.raises(UploadsFull):
        uploads.take("", 1)
    uploads.release("", MOST)
    assert uploads.held == 0
