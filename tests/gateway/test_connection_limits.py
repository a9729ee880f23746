"""A sender may be slow, silent or endless: its connection is ended, and the others go on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from analytics.gateway import connection_limits
from analytics.gateway.connection_limits import MAX_HEAD_BYTES, BoundedProtocol, watching

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with as many bytes as it was sent."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    content = b"%d bytes" % size
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class Peer:
    """Somebody who sends whatever they like."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Peer:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, *pieces: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()

    async def answer(self) -> bytes:
        """The first line of an answer that leaves the connection open."""
        async with asyncio.timeout(30):
            head = await self._reader.readuntil(b"\r\n\r\n")
            await self._reader.readuntil(b"bytes")
        return head.split(b"\r\n")[0]

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        found = b""
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                while piece := await self._reader.read(65536):
                    found += piece
        return found


@pytest.fixture
def most() -> int:
    return 100


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch, most: int) -> AsyncIterator[int]:
    monkeypatch.setattr(connection_limits, "_LOOK_S", 0.02)
    monkeypatch.setattr(connection_limits, "_PATIENCE_S", {"head": 0.3, "body": 0.6, "end": 0.3})
    server = uvicorn.Server(
        uvicorn.Config(
            echo,
            port=0,
            http=BoundedProtocol,
            lifespan="off",
            log_config=None,
            limit_concurrency=most,
        )
    )
    serving = asyncio.create_task(server.serve())
    async with watching(lambda: server.server_state.connections):
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        await serving


async def test_a_whole_request_is_answered_and_the_connection_kept(port: int) -> None:
    async with Peer(port) as peer:
        for _ in range(3):
            await peer.send(WHOLE)
            assert await peer.answer() == b"HTTP/1.1 200 OK"
            await asyncio.sleep(0.4)  # longer than a request's headers may take


async def test_headers_that_never_end_are_waited_for_no_longer(port: int) -> None:
    async with Peer(port) as peer:
        await peer.send(HEAD)
        assert (await peer.rest()).startswith(b"HTTP/1.1 408 Request Timeout")


async def test_a_second_requests_headers_must_come_in_time_too(port: int) -> None:
    async with Peer(port) as peer:
        await peer.send(WHOLE)
        await peer.answer()
        await peer.send(HEAD)
        assert b"HTTP/1.1 408" in await peer.rest()


async def test_whoever_connects_and_says_nothing_is_sent_away(port: int) -> None:
    async with Peer(port) as peer:
        assert b"HTTP/1.1 408" in await peer.rest()


async def test_a_body_that_never_ends_is_waited_for_no_longer(port: int) -> None:
    async with Peer(port) as peer:
        await peer.send(HEAD + b"Content-Length: 100\r\n\r\nsome")
        assert (await peer.rest()).startswith(b"HTTP/1.1 408")


async def test_drops_of_a_body_buy_no_more_time(port: int) -> None:
    async def drip() -> None:
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.05)

    async with Peer(port) as peer:
        await peer.send(HEAD + b"Content-Length: 100000\r\n\r\n")
        dripping = asyncio.create_task(drip())
        assert (await peer.rest()).startswith(b"HTTP/1.1 408")
        dripping.cancel()


@pytest.mark.parametrize(
    "endless",
    [
        (HEAD + b"X: ", b"a" * 10_000),
        (HEAD, b"X: a\r\n" * 1000),
        (b"GET /", b"a" * 10_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 10_000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 10_000),
    ],
    ids=["a value", "headers", "an address", "a chunk's extension", "a trailer"],
)
async def test_what_has_no_end_is_refused(port: int, endless: tuple[bytes, bytes]) -> None:
    start, more = endless
    async with Peer(port) as peer:
        await peer.send(start, *[more] * 200)
        assert (await peer.rest())[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")


async def test_headers_that_are_too_large_are_refused_though_they_come_at_once(port: int) -> None:
    async with Peer(port) as peer:
        await peer.send(HEAD + b"X: y\r\n" * MAX_HEAD_BYTES + b"\r\n")
        assert (await peer.rest()).startswith(b"HTTP/1.1 431")


async def test_a_large_body_is_no_large_head(port: int) -> None:
    async with Peer(port) as peer:
        body = b"x" * 1_000_000
        await peer.send(HEAD + b"Content-Length: 1000000\r\n\r\n" + body)
        assert await peer.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("most", [3])
async def test_more_connections_than_there_may_be_are_closed_as_they_come(port: int) -> None:
    async with Peer(port), Peer(port), Peer(port):
        await asyncio.sleep(0.05)
        async with Peer(port) as fourth:
            assert await fourth.rest() == b""
