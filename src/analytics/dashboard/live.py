"""The stream of a site's current visitors, for as long as a page listens and may.

A stream ends by itself after a while: the page asks for another, and is told anew whether it may.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from analytics import bounds
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.first_hit import FirstHit, first_hit_of
from analytics.dashboard.headers import PAGE_HEADERS
from analytics.dashboard.live_broadcast import BEAT_S, PAUSE_S, LiveBroadcast
from analytics.dashboard.page_request import PageRequest
from analytics.limiter import sender
from analytics.site import Site

RETRY_MS: Final = (2000, 5000)
"""When a browser whose stream has ended asks for it again."""
MaySee = Callable[[], Awaitable[bool]]
"""Return whether the reader may still see the site."""


class LiveStream(StreamingResponse):
    """Server-sent events that hold a place until they have ended."""

    def __init__(self, content: AsyncIterator[str], give_back: Callable[[], None]) -> None:
        # A proxy that buffers would hold the messages back.
        headers = {**PAGE_HEADERS, "X-Accel-Buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._give_back = give_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()


async def show(ask: PageRequest) -> Response:
    """Server-sent events: `now` with the count, and whether rows were stored.

    Raises `TooMany` when this reader, the site or the server has as many as may be.
    """
    site = ask.site()
    if ask.person is not None:
        reader = ("session", ask.session)
    else:
        reader = ("address", sender(ask.deps.client(ask.request)))
    give_back = ask.deps.stream_places.take(site.domain, reader)
    return LiveStream(messages(ask.deps, site, may_see=ask.may_still_see), give_back)


class LiveFigures:
    """What a site's pages are told: how many are there, and whether anybody came yet."""

    def __init__(self, deps: DashboardContext, site: Site) -> None:
        self._deps = deps
        self._site = site
        self._came = FirstHit(seen=False)

    async def __call__(self) -> Mapping[str, object]:
        """Find it out now."""
        visitors = await self._deps.current.of(self._site.domain)
        if not self._came.seen:
            self._came = await first_hit_of(self._deps, self._site)
        came = self._came
        machine = {"machine": came.machine} if came.machine and not came.seen else {}
        elsewhere = {"elsewhere": True} if came.elsewhere else {}
        return {"visitors": visitors, "seen": came.seen, **machine, **elsewhere}


async def always() -> bool:
    """Return that nothing has changed."""
    return True


async def messages(
    deps: DashboardContext,
    site: Site,
    *,
    may_see: MaySee = always,
    beat_s: float = BEAT_S,
    pause_s: float = PAUSE_S,
    most_s: float = bounds.STREAM_S,
) -> AsyncIterator[str]:
    """One message at once, then one after each change and at least each *beat_s*.

    It ends after *most_s*, and with the reader's right, which is asked for at each beat.
    """
    now = asyncio.get_running_loop().time
    began = asked = now()
    # Not all at the same moment, when the server has come back.
    yield f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311
    stored: int | None = None

    def made() -> LiveBroadcast:
        return LiveBroadcast(
            LiveFigures(deps, site), deps.changed, deps.stopping, beat_s=beat_s, pause_s=pause_s
        )

    async with deps.boards.of(site.domain, made) as board:
        async for told in board.read():
            if now() - began >= most_s:
                return
            if now() - asked >= beat_s:
                asked = now()
                if not await may_see():
                    return
            if told.data is None:
                yield ": the store cannot answer now\n\n"
                continue
            news = stored is not None and told.stored > stored
            stored = told.stored
            yield f"event: now\ndata: {json.dumps({**told.data, 'stored': news})}\n\n"
