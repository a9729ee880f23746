"""A small web site and a recording collector, served on loopback for the browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from playwright.async_api import BrowserContext, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from analytics import assets

Event = dict[str, Any]

LARGEST_EVENT = 64 * 1024
"""What a server takes by default (`ingest.max_event_bytes`)."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,">
{first}
<script>var analytics = analytics || function () {{
  (analytics.q = analytics.q || []).push(arguments) }}</script>
{head}
<script defer {attributes} src="{tracker}"></script>
</head><body>{body}</body></html>"""


@dataclass
class Pages:
    """A web site whose every path answers with a page that carries the tracker's tag."""

    tracker: str
    port: int = 0
    attributes: str = "data-domain=shop.test data-allow-automation"
    head: str = ""
    body_first: str = ""
    """What stands above the snippet."""
    bodies: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)

    def at(self, path: str, host: str = "shop.test") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        if path in self.scripts:
            return Response(self.scripts[path], media_type="text/javascript")
        if path.endswith(".pdf"):
            return Response(b"%PDF-1.4", media_type="application/octet-stream")
        return HTMLResponse(
            PAGE.format(
                title=f"Title of {path}",
                first=self.body_first,
                head=self.head,
                attributes=self.attributes,
                tracker=self.tracker,
                body=self.bodies.get(path, f"<h1>{path}</h1>"),
            )
        )


class Collector:
    """Answers `/api/event` as told, and remembers what came."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 202
        self.received: list[Event] = []
        """Every request's body, refused ones too."""
        self.accepted: list[Event] = []
        """What a server that counts each id once holds."""
        self.types: set[str] = set()
        self._news = asyncio.Condition()

    @property
    def tracker(self) -> str:
        return f"http://stats.test:{self.port}/tracker.js"

    async def event(self, request: Request) -> Response:
        body = await request.body()
        status = self.status if len(body) <= LARGEST_EVENT else 413
        event = {name: value for name, value in json.loads(body).items() if value is not None}
        async with self._news:
            self.types.add(request.headers["content-type"])
            self.received.append(event)
            known = {accepted["id"] for accepted in self.accepted}
            if status < 300 and event["id"] not in known:
                self.accepted.append(event)
            self._news.notify_all()
        return Response("ok", status, {"access-control-allow-origin": "*"})

    async def script(self, request: Request) -> Response:
        return Response(
            assets.tracker().read_bytes(),
            headers={"access-control-allow-origin": "*"},
            media_type="text/javascript",
        )

    async def until(self, enough: Callable[[], bool]) -> None:
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(enough), 30)
            except TimeoutError:
                raise AssertionError(f"only these came: {self.received}") from None

    async def events(self, count: int, name: str | None = None) -> list[Event]:
        """The accepted events (of *name*), when there are *count* of them."""
        await self.until(lambda: len(self.named(name)) >= count)
        found = self.named(name)
        assert len(found) == count, f"more than {count}: {found}"
        return found

    def named(self, name: str | None) -> list[Event]:
        return [event for event in self.accepted if name in (None, event["n"])]


@asynccontextmanager
async def serving(*routes: Route, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve *routes* on loopback, on a free port unless one is given; yields the port."""
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=list(routes)), host=host, port=port, lifespan="off", log_config=None
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


async def opened(visitor: BrowserContext, url: str, referer: str | None = None) -> Page:
    """Open *url* in a new page."""
    page = await visitor.new_page()
    await page.goto(url, referer=referer)
    return page
