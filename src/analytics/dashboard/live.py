"""The stream of a site's current visitors, for as long as a page listens."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.responses import Response, StreamingResponse

from analytics import guest
from analytics.dashboard.arrival import arrival
from analytics.dashboard.ask import Ask
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.headers import PAGE_HEADERS
from analytics.errors import Unavailable
from analytics.site import Site

LOOK_UP_S: Final = 0.5
BEAT_S: Final = 10.0
"""Visitors stop being current without any event, so the stream also speaks by the clock."""
RETRY_MS: Final = (2000, 5000)
"""When a browser whose stream has ended asks for it again."""
PAUSE_S: Final = 1.0
"""The least time between two messages, however much is stored."""


async def show(ask: Ask) -> Response:
    """Server-sent events: `now` with the count, and whether rows were stored."""
    return StreamingResponse(
        messages(ask.deps, ask.site()),
        media_type="text/event-stream",
        # A proxy that buffers would hold the messages back.
        headers={**PAGE_HEADERS, "X-Accel-Buffering": "no"},
    )


async def messages(
    deps: Dashboard, site: Site, *, beat_s: float = BEAT_S, pause_s: float = PAUSE_S
) -> AsyncIterator[str]:
    """One message at once, then one after each change and at least each *beat_s*."""
    changes = deps.changed()
    step = asyncio.ensure_future(_step(changes))
    try:
        # Not all at the same moment, when the server has come back.
        yield f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311
        stored, seen, machine = False, False, ""
        while True:
            try:
                visitors = await deps.current.of(site.domain)
                if not seen:
                    with guest.asking(None):  # a page that lies open has no turn among readers
                        came = await arrival(deps, site)
                        seen, machine = came.seen, came.machine
                data: dict[str, object] = {"visitors": visitors, "seen": seen, "stored": stored}
                if machine and not seen:
                    data["machine"] = machine
                yield f"event: now\ndata: {json.dumps(data)}\n\n"
            except Unavailable:
                yield ": the store cannot answer now\n\n"
            await asyncio.sleep(pause_s)
            await _wait(step, beat_s, deps.stopping)
            if deps.stopping():
                return
            stored = step.done()
            if stored:
                if not step.result():
                    return
                step = asyncio.ensure_future(_step(changes))
    finally:
        step.cancel()


async def _wait(step: asyncio.Future[bool], most_s: float, stopping: Callable[[], bool]) -> None:
    """Wait for *step*, at most *most_s*, looking up now and then whether the server stops."""
    left = most_s
    while left > 0 and not stopping():
        done, _ = await asyncio.wait({step}, timeout=min(left, LOOK_UP_S))
        if done:
            return
        left -= LOOK_UP_S


async def _step(changes: AsyncIterator[None]) -> bool:
    """Wait for the next change; False when there will be none."""
    try:
        await anext(changes)
    except StopAsyncIteration:
        return False
    return True
