"""A real HAProxy, and servers that it can be given."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from tests.front.haproxy import HAProxy
from tests.server import free_port

from analytics.balancer.runtime import Runtime
from analytics.registry.base import Replica


class Upstream:
    """A server that answers with its own address; one for …slow waits until `finish`."""

    def __init__(self) -> None:
        self.ready = True
        self.waiting = asyncio.Event()
        self.finish = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def replica(self, *modules: str) -> Replica:
        """It, as the registry has it."""
        return Replica(
            address=self.address, modules=modules or ("ingest",), version="1", started_at=1
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
                if head[1].endswith(b"slow"):
                    self.waiting.set()
                    await self.finish.wait()
                status = b"200 OK"
                if head[1] == b"/health/ready" and not self.ready:
                    status = b"503 Service Unavailable"
                body = self.address.encode()
                writer.write(
                    b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
                )
                await writer.drain()
        writer.close()


@pytest.fixture
async def haproxy() -> AsyncIterator[HAProxy]:
    """With one server of its own configuration, at which nobody listens."""
    with tempfile.TemporaryDirectory(prefix="front-") as short:
        Path(short).chmod(0o755)
        haproxy = HAProxy(
            Path(short),
            FRONT_HTTP=f"127.0.0.1:{free_port()}",
            FRONT_STATISTICS=f"127.0.0.1:{free_port()}",
            FRONT_REPLICA_1="127.0.0.1:1",
        )
        try:
            await haproxy.start(ready=False)
            yield haproxy
        finally:
            haproxy.end()


@pytest.fixture
def runtime(haproxy: HAProxy) -> Runtime:
    return Runtime(Path(haproxy.settings["FRONT_SOCKET"]))


@pytest.fixture
async def client(haproxy: HAProxy) -> AsyncIterator[httpx2.AsyncClient]:
    """A visitor's; to make one takes longer than a health check may."""
    url = f"http://{haproxy.settings['FRONT_HTTP']}"
    async with httpx2.AsyncClient(base_url=url) as client:
        yield client


@pytest.fixture
async def upstreams() -> AsyncIterator[tuple[Upstream, Upstream, Upstream]]:
    servers = Upstream(), Upstream(), Upstream()
    for each in servers:
        await each.start()
    yield servers
    for each in servers:
        each.finish.set()
        await each.stop()
