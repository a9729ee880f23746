"""From a visitor's browser to the rows of the store, through the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from starlette.routing import Route
from tests.browser.web import Pages, serving
from tests.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STORED = "Object.keys(localStorage).filter(key => key.startsWith('_va ')).length"
ONLINE = "dispatchEvent(new Event('online'))"


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "data")
    await server.command("site", "add", "shop.test")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(server: Server) -> AsyncIterator[Pages]:
    """The site whose events go to the real server."""
    pages = Pages(f"http://stats.test:{server.port}/tracker.js")
    async with serving(Route("/{path:path}", pages.answer)) as pages.port:
        yield pages


async def everything_sent(page: Page) -> None:
    await page.evaluate(ONLINE)
    await page.wait_for_function(STORED + " === 0")


async def test_a_whole_visit_is_stored(
    visitor: BrowserContext, shop: Pages, server: Server
) -> None:
    shop.bodies["/"] = f"""
        <a id=file href="/report.pdf">report</a>
        <a id=out href="http://elsewhere.test:{shop.port}/">out</a>
        <form action="/thanks"><button>send</button></form>
        <div style="height: 4000px"></div>"""
    page = await visitor.new_page()
    await page.goto(shop.at("/?utm_source=mail"), referer="https://www.google.com/")
    await page.evaluate(
        "analytics('Order', {props: {plan: 'pro'}, revenue: {currency: 'EUR', amount: 12.5}})"
    )
    await page.evaluate("new Promise(done => { onscroll = done; scrollTo(0, 1e5) })")
    await page.click("#file")
    async with page.expect_request(lambda sent: "/spa" in (sent.post_data or "")):
        await page.evaluate("history.pushState({}, '', '/spa')")
    await page.click("button")
    await page.wait_for_url("**/thanks?")
    await page.goto(shop.at("/"))
    await page.click("#out")
    await page.wait_for_url("**elsewhere**")
    await page.goto(shop.at("/last"))
    await everything_sent(page)

    rows = await server.rows("shop.test")
    views = [row["path"] for row in rows if row["name"] == "pageview"]
    # Elsewhere has the tag too, and is not a hostname of this site.
    assert views == ["/", "/spa", "/thanks", "/", "/last"]
    named = {row["name"]: row for row in rows}
    assert named.keys() == {
        "pageview",
        "engagement",
        "Order",
        "File Download",
        "Form: Submission",
        "Outbound Link: Click",
    }
    assert len({row["visitor"] for row in rows if row["hostname"] == "shop.test"}) == 1
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert rows[0]["source"] == "mail"
    assert rows[0]["title"] == "Title of /"
    assert rows[0]["screen"] == "1000x600"
    order = named["Order"]
    assert float(order["revenue"]) == 12.5
    assert order["currency"] == "EUR"
    pings = [row for row in rows if row["name"] == "engagement"]
    first = next(ping for ping in pings if ping["path"] == "/")
    assert first["scroll_depth"] == 100
    assert first["engaged_ms"] > 0
    await server.balance()


async def test_a_killed_server_loses_and_doubles_nothing(
    visitor: BrowserContext, shop: Pages, server: Server
) -> None:
    page = await visitor.new_page()
    await page.goto(shop.at("/before"))
    await page.wait_for_function(STORED + " === 0")
    shop.tracker = shop.at("/kept.js")  # as a browser's cache would
    shop.scripts["/kept.js"] = await _script(server)
    shop.attributes += f" data-api=http://stats.test:{server.port}/api/event"
    await server.kill()
    for number in range(5):
        await page.goto(shop.at(f"/away/{number}"))
        await page.evaluate(f"analytics('click', {{props: {{number: {number}}}}})")
    assert await page.evaluate(STORED) >= 5
    await server.start()
    await page.goto(shop.at("/after"))
    await everything_sent(page)

    rows = await server.rows("shop.test")
    views = [row["path"] for row in rows if row["name"] == "pageview"]
    assert views == ["/before", *(f"/away/{number}" for number in range(5)), "/after"]
    assert sum(row["name"] == "click" for row in rows) == 5
    assert len({row["event_id"] for row in rows}) == len(rows)
    assert len({row["visitor"] for row in rows}) == 1
    await server.balance()


async def test_a_server_without_room_is_waited_for(
    visitor: BrowserContext, shop: Pages, server: Server
) -> None:
    await server.stop()
    await server.start(ANALYTICS_JOURNAL__MIN_FREE_BYTES=str(1 << 60))
    page = await visitor.new_page()
    async with page.expect_response("**/api/event") as refused:
        await page.goto(shop.at("/"))
    assert (await refused.value).status == 503
    await page.evaluate("analytics('click')")
    assert await page.evaluate(STORED) == 2
    assert await server.rows("shop.test") == []
    await server.stop()
    await server.start()
    await everything_sent(page)
    rows = await server.rows("shop.test")
    assert [row["name"] for row in rows] == ["pageview", "click"]
    await server.balance()


async def _script(server: Server) -> str:
    async with httpx2.AsyncClient() as client:
        reply = await client.get(server.url + "/tracker.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    return reply.text


PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/146.0.0.0 Safari/537.36"
"""Headless Chromium says that it is one, and would be held for the machine that it is."""


async def test_the_dashboard_shows_a_visitor_arrive(
    browser: Browser, shop: Pages, server: Server
) -> None:
    await server.command(
        "user", "add", "owner@shop.test", "--owner", "--password-stdin", stdin=b"a long password"
    )
    owner, person = await browser.new_context(), await browser.new_context(user_agent=PERSON)
    try:
        report = await owner.new_page()
        await report.goto(f"{server.url}/login?next=/shop.test")
        await report.fill("[name=email]", "owner@shop.test")
        await report.fill("[name=password]", "a long password")
        await report.click("main button")
        current = report.locator("[data-current]")
        await expect(current).to_have_text("0")
        page = await person.new_page()
        await page.goto(shop.at("/"))
        await expect(current).to_have_text("1", timeout=30_000)
        await page.goto(shop.at("/another"))
        await expect(report.get_by_text("/another")).to_be_visible(timeout=30_000)
    finally:
        await owner.close()
        await person.close()
