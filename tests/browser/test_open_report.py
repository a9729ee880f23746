"""A report that lies open keeps its figures, whatever a refresh of it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect
from tests.browser.dashboard import SITE, Server, pageview, reader, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

REPORT = f"/{SITE}?period=day"
ERROR = '<html data-version="{}"><main><section data-error><p class="error-code">503</p></section>'
VISITORS = "#card-visitors .figure-value"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path) as server:
        await server.people_and_site()
        yield server


class Refusals:
    """What stands in front of the server, and answers for it: a balancer, or a server in need."""

    def __init__(self, status: int, body: str, **headers: str) -> None:
        self.answer = {"status": status, "body": body, "headers": headers}
        self.count = 0

    async def __call__(self, route: Route) -> None:
        self.count += 1
        await route.fulfill(content_type="text/html", **self.answer)  # type: ignore[arg-type]


async def refused(page: Page, refusals: Refusals, count: int) -> None:
    """Let time pass until *count* refreshes were refused."""
    while refusals.count < count:
        await page.clock.run_for(1000)


async def opened(context: BrowserContext) -> Page:
    """A report whose live stream has begun, with a clock that the test may put forward."""
    page = await context.new_page()
    await page.clock.install()
    async with page.expect_response("**/live"):
        await page.goto(REPORT)
    return page


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(503, ERROR, id="our error page"),
        pytest.param(503, "<html><body>No server is available.</body>", id="a balancer's"),
        pytest.param(200, ERROR, id="an error within a page whose frame was good"),
        pytest.param(429, "slow down", id="no page at all"),
    ],
)
async def test_a_refresh_that_fails_changes_nothing_and_is_tried_again(
    browser: Browser, server: Server, status: int, body: str
) -> None:
    await server.take([pageview(visitor=1)])
    async with reader(browser, server) as context:
        page = await opened(context)
        await expect(page.locator(VISITORS)).to_have_text("1")
        version = await page.locator("html").get_attribute("data-version")
        refusals = Refusals(status, body.format(version))
        await page.route(f"**{REPORT}", refusals)
        await server.take([pageview(visitor=2)])
        await refused(page, refusals, 2)
        await expect(page.locator(VISITORS)).to_have_text("1")
        await expect(page.locator(".error-code")).to_have_count(0)
        # The stream goes on: who is there now is told, though the figures cannot be had.
        await server.take([pageview(visitor=3)])
        await expect(page.locator("[data-current]")).to_have_text("3")
        await page.unroute(f"**{REPORT}")
        await page.clock.run_for(60_000)
        await expect(page.locator(VISITORS)).to_have_text("3")


async def test_the_pause_grows_while_refreshes_fail(browser: Browser, server: Server) -> None:
    await server.take([pageview(visitor=1)])
    async with reader(browser, server) as context:
        page = await opened(context)
        refusals = Refusals(503, "", **{"retry-after": "30"})
        await page.route(f"**{REPORT}", refusals)
        await server.take([pageview(visitor=2)])
        await refused(page, refusals, 1)
        await page.clock.run_for(28_000)
        assert refusals.count == 1  # the server said when to come back
        for _ in range(60):
            await page.clock.run_for(10_000)
        assert 3 <= refusals.count <= 22  # never sooner than half a minute after the last


async def test_a_stream_that_is_refused_is_asked_for_again(
    browser: Browser, server: Server
) -> None:
    async with reader(browser, server) as context:
        page = await context.new_page()
        await page.clock.install()
        refusals = Refusals(503, "")
        await page.route("**/live", refusals)
        await page.goto(REPORT)
        await refused(page, refusals, 2)
        await page.unroute("**/live")
        await server.take([pageview(visitor=1)])
        await page.clock.run_for(30_000)
        await expect(page.locator("[data-current]")).to_have_text("1")


async def test_pages_that_lie_open_do_not_ask_at_the_same_moment(
    browser: Browser, server: Server
) -> None:
    await server.take([pageview(visitor=1)])
    moments = []
    async with reader(browser, server) as context:
        for visitor in range(2, 8):
            page = await opened(context)
            refusals = Refusals(503, "")
            await page.route(f"**{REPORT}", refusals)
            await page.clock.pause_at(await page.evaluate("Date.now() + 60_000"))
            await server.take([pageview(visitor=visitor)])
            await expect(page.locator("[data-current]")).to_have_text(str(visitor))
            steps = 0
            while not refusals.count and steps < 30:
                await page.clock.run_for(50)
                steps += 1
            moments.append(steps)
            await page.close()
    assert len(set(moments)) > 1
    assert max(moments) < 30
