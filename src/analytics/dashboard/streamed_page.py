"""A page whose frame is sent ahead of its figures if these take longer than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from analytics.dashboard import templates
from analytics.dashboard.headers import PAGE_HEADERS
from analytics.dashboard.page_request import PageRequest, error_page
from analytics.errors import AnalyticsError

PATIENCE_S: Final = 0.15
"""Seconds to wait for the figures before the frame is sent alone.

A page that is complete by then is sent as a whole, with the right status.
"""
MAIN: Final = '<main id="main" class="wrap">'
"""The end of the frame. It cannot occur in a value, because values are escaped."""

Values = dict[str, Any]


async def page(
    ask: PageRequest,
    name: str,
    work: Coroutine[Any, Any, Values],
    *,
    patience_s: float = PATIENCE_S,
    **known: Any,
) -> Response:
    """Return the template *name* with the values *known* and the values that *work* returns."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=patience_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return await ask.long_page(name, **known, **task.result())
    # Pages opened at the same moment get here at the same moment, too.
    await ask.deps.frames.enter()
    frame = _text(ask.page("frame.html", page=name, **known))
    return StreamingResponse(
        _parts(ask, name, frame, task, known), media_type="text/html", headers=PAGE_HEADERS
    )


async def _parts(
    ask: PageRequest, name: str, frame: str, task: asyncio.Future[Values], known: Values
) -> AsyncIterator[str]:
    yield frame.partition(MAIN)[0] + MAIN + _waiting()
    try:
        whole: Response = await ask.long_page(name, **known, **await task)
    except AnalyticsError as error:
        # The status has been sent already, so the page itself must say that it failed.
        whole = error_page(ask.request, error, ask.person)
    finally:
        task.cancel()
    yield _text(whole).partition(MAIN)[2]


def _waiting() -> str:
    return templates.render("waiting.html")


def _text(response: Response) -> str:
    return bytes(response.body).decode()
