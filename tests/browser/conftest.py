"""Headless Chromium, a site to visit, and somewhere for its events to go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright
from starlette.routing import Route
from tests.browser.chromium import FLAGS, chromium
from tests.browser.web import Collector, Pages, serving

# Every name is this machine: shop.test, stats.test, and wherever a link leads.
LOCAL = "--host-resolver-rules=MAP * 127.0.0.1"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, LOCAL])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A new visitor; whatever the tracker throws on a page fails the test."""
    thrown: list[str] = []
    context = await browser.new_context(viewport={"width": 1000, "height": 600})
    context.on("weberror", lambda error: thrown.append(str(error.error)))
    yield context
    await context.close()
    assert thrown == []


@pytest_asyncio.fixture(loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    async with serving(
        Route("/api/event", collector.event, methods=["POST"]),
        Route("/tracker.js", collector.script),
    ) as collector.port:
        yield collector


@pytest_asyncio.fixture(loop_scope="session")
async def pages(collector: Collector) -> AsyncIterator[Pages]:
    """The site of `collector`'s events."""
    pages = Pages(collector.tracker)
    async with serving(Route("/{path:path}", pages.answer)) as pages.port:
        yield pages
