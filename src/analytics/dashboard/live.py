"""The stream of server-sent events with a site's current visitors.

A stream ends by itself after a while; the page then requests a new one, for which its rights are
checked again.
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
"""The range of pauses, in milliseconds, before a browser requests an ended stream again."""
MaySee = Callable[[], Awaitable[bool]]
"""Returns whether the reader may still see the site."""


class LiveStream(StreamingResponse):
    """A response of server-sent events that occupies a place in `StreamLimits` until it ends."""

    def __init__(self, content: AsyncIterator[str], give_back: Callable[[], None]) -> None:
        # Keep nginx from buffering the messages.
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
    """Send an event `now` with the current visitors and whether rows were stored, repeatedly.

    Raise `TooMany` when the reader, the site or the server has the most open streams allowed.
    """
    site = ask.site()
    if ask.person is not None:
        reader = ("session", ask.session)
    else:
        reader = ("address", sender(ask.deps.client(ask.request)))
    give_back = ask.deps.stream_places.take(site.domain, reader)
    return LiveStream(messages(ask.deps, site, may_see=ask.may_still_see), give_back)


class LiveFigures:
    """Reads the figures of a site's live pages: current visitors, and the first hit.

    The result has the keys `visitors` (a count) and `seen` (whether a hit has counted), and where
    they apply `machine` and `elsewhere`, as in `FirstHit`.
    """

    def __init__(self, deps: DashboardContext, site: Site) -> None:
        self._deps = deps
        self._site = site
        self._first_hit = FirstHit(seen=False)

    async def __call__(self) -> Mapping[str, object]:
        """Return the figures of now. Raise `Unavailable` while the store cannot answer."""
        visitors = await self._deps.current.of(self._site.domain)
        if not self._first_hit.seen:
            self._first_hit = await first_hit_of(self._deps, self._site)
        first = self._first_hit
        machine = {"machine": first.machine} if first.machine and not first.seen else {}
        elsewhere = {"elsewhere": True} if first.elsewhere else {}
        return {"visitors": visitors, "seen": first.seen, **machine, **elsewhere}


async def always() -> bool:
    """Return True."""
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
    """Yield a message at once, then after each change and at least every *beat_s* seconds.

    End after *most_s* seconds, or when *may_see*, checked every *beat_s*, returns False.
    """
    now = asyncio.get_running_loop().time
    began = checked_at = now()
    # At random, so that browsers do not all return at once after a restart.
    yield f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311
    stored: int | None = None

    def new_broadcast() -> LiveBroadcast:
        return LiveBroadcast(
            LiveFigures(deps, site), deps.changed, deps.stopping, beat_s=beat_s, pause_s=pause_s
        )

    async with deps.boards.of(site.domain, new_broadcast) as board:
        async for message in board.read():
            if now() - began >= most_s:
                return
            if now() - checked_at >= beat_s:
                checked_at = now()
                if not await may_see():
                    return
            if message.data is None:
                yield ": the store cannot answer now\n\n"
                continue
            news = stored is not None and message.stored > stored
            stored = message.stored
            yield f"event: now\ndata: {json.dumps({**message.data, 'stored': news})}\n\n"
