"""A slow page shows its frame at once, and the same page in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from analytics.dashboard import DashboardContext, streamed_page
from analytics.dashboard.page_request import PageRequest
from analytics.errors import StoreUnavailable

Values = dict[str, object]


@pytest.fixture
def ask(deps: DashboardContext) -> PageRequest:
    request = Request(
        {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    )
    return PageRequest(deps, request, None)


async def _page(ask: PageRequest, work: Coroutine[Any, Any, Values], patience_s: float) -> Response:
    return await streamed_page.page(
        ask, "login.html", work, patience_s=patience_s, problem="", email="someone@shop.example"
    )


async def _quick() -> Values:
    return {"after": "/found"}


async def test_a_quick_page_is_sent_whole(ask: PageRequest) -> None:
    answer = await _page(ask, _quick(), 60)
    assert not isinstance(answer, StreamingResponse)
    assert 'value="/found"' in bytes(answer.body).decode()


async def test_a_slow_page_is_framed_and_then_the_same(ask: PageRequest) -> None:
    ready = asyncio.Event()

    async def slow() -> Values:
        await ready.wait()
        return await _quick()

    answer = await _page(ask, slow(), 0)
    assert isinstance(answer, StreamingResponse)
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    parts = aiter(answer.body_iterator)
    frame = str(await anext(parts))
    assert "<title>Log in" in frame
    assert "Counting…" in frame
    ready.set()
    rest = str(await anext(parts))
    whole = bytes((await _page(ask, _quick(), 60)).body).decode()
    assert frame.replace(streamed_page._waiting(), "") + rest == whole


async def test_a_fault_after_the_frame_is_told_in_the_page(ask: PageRequest) -> None:
    ready = asyncio.Event()

    async def failing() -> Values:
        await ready.wait()
        raise StoreUnavailable("gone")

    answer = await _page(ask, failing(), 0)
    assert isinstance(answer, StreamingResponse)
    ready.set()
    text = "".join([str(part) async for part in answer.body_iterator])
    assert "Back in a moment" in text
    assert text.count("<main") == text.count("</main>") == 1


async def test_a_fault_at_once_has_its_own_status(ask: PageRequest) -> None:
    async def failing() -> Values:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        await _page(ask, failing(), 60)


async def test_somebody_who_leaves_takes_the_work_along(ask: PageRequest) -> None:
    ended = asyncio.Event()

    async def slow() -> Values:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    asked = asyncio.ensure_future(_page(ask, slow(), 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.wait_for(ended.wait(), 10)
