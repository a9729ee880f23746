"""A page whose frame is sent at once when its figures take longer than a moment."""

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
"""A reply within it is whole, with the right status; nobody sees the difference."""
MAIN: Final = '<main id="main" class="wrap">'
"""What the frame ends with. No value can forge it, because values are escaped."""

Values = dict[str, Any]


async def page(
    ask: PageRequest,
    name: str,
    work: Coroutine[Any, Any, Values],
    *,
    patience_s: float = PATIENCE_S,
    **known: Any,
) -> Response:
    """The template *name* with what is *known* and what *work* finds out."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=patience_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return await ask.long_page(name, **known, **task.result())
    # Those who opened a page at the same moment have waited for as long at the same moment, too.
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
        # The status is sent already: the page itself must say that it failed.
        whole = error_page(ask.request, error, ask.person)
    finally:
        task.cancel()
    yield _text(whole).partition(MAIN)[2]


def _waiting() -> str:
    return templates.render("waiting.html")


def _text(response: Response) -> str:
    return bytes(response.body).decode()
