"""One ingest module, asked by each of the protocols that a server may speak with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from analytics.catalog.sqlite import SqliteCatalog
from analytics.gateway.gate import Gate
from analytics.ingest.module import IngestModule

NOW = 1_764_000_000_000
GOOD = b'{"n":"pageview","u":"https://example.com/a","d":"example.com"}'


class Answers:
    """The same ingest module behind uvicorn's protocol, and behind ours."""

    def __init__(
        self, module: IngestModule, ports: dict[str, int], catalog: SqliteCatalog, salts: Path
    ) -> None:
        self.module = module
        self.catalog = catalog
        self.salts = salts
        """The folder of the catalog's salts."""
        self.ports = ports

    def url(self, way: str) -> str:
        return f"http://127.0.0.1:{self.ports[way]}"

    async def of(self, way: str, raw: bytes, count: int = 1) -> bytes:
        """The first *count* answers that come back for *raw*."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[way])
        writer.write(raw)
        answer = b""
        for _ in range(count):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            answer += head + await reader.readexactly(int(length[1]) if length else 0)
        writer.close()
        return answer

    async def both(self, raw: bytes, count: int = 1) -> tuple[bytes, bytes]:
        return await self.of("uvicorn", raw, count), await self.of("direct", raw, count)


@asynccontextmanager
async def running(app: Gate, http: object) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app,
        port=0,
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    server.capture_signals = lambda: _nothing()  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


class _nothing:  # noqa: N801
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def post(body: bytes, *headers: bytes, number: bytes = b"one") -> bytes:
    length = b"Content-Length: %d" % len(body)
    lines = [b"POST /api/event HTTP/1.1", b"Host: x", length, b"X-Request-Id: " + number, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
