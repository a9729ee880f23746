"""What the report costs on the wire, from the real server in a real browser."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from tests.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SITE = "shop.test"
PASSWORD = "a long enough password"
MOST_BYTES = 50_000
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "data")
    await server.command("site", "add", SITE)
    await server.command(
        "user", "add", "owner@example.com", "--owner", "--password-stdin", stdin=PASSWORD.encode()
    )
    await server.start()
    yield server
    await server.stop()


async def browse(server: Server, views: int) -> None:
    """Send *views* page views, of many pages, from many referrers."""
    rng = random.Random(7)
    receipt = ""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for _ in range(views):
            event = {
                "n": "pageview",
                "d": SITE,
                "u": f"https://{SITE}/articles/{rng.randrange(60)}/a-title-as-long-as-titles-are",
                "r": f"https://blog-{rng.randrange(30)}.example.com/",
                "vid": f"visitor-{rng.randrange(100)}",
                "l": rng.choice(("de", "en", "fr", "pt", "es")),
            }
            agent = {"user-agent": rng.choice(AGENTS)}
            answer = await client.post("/api/event", json=event, headers=agent)
            assert answer.status_code == 202
            receipt = answer.headers["x-analytics-receipt"]
        key = await server.command(
            "key", "create", "--site", SITE, "--scope", "stats:read", "--json"
        )
        counted = await client.post(
            f"/api/v2/query?wait={receipt}",
            headers={"authorization": f"Bearer {httpx2.Response(200, text=key).json()['key']}"},
            json={"site_id": SITE, "metrics": ["pageviews"], "date_range": "day"},
        )
        assert counted.json()["results"][0]["metrics"] == [views]


async def test_the_report_costs_at_most_50_kb_and_its_files_are_fetched_once(
    server: Server, browser: Browser
) -> None:
    await browse(server, 400)
    context = await browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 900}
    )
    try:
        page = await context.new_page()
        await page.goto("/login")
        await page.fill("input[name=email]", "owner@example.com")
        await page.fill("input[name=password]", PASSWORD)
        cold = await context.new_page()
        devtools = await context.new_cdp_session(cold)
        await devtools.send("Network.enable")
        await devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: dict[str, int] = {}
        requests: dict[str, str] = {}
        devtools.on(
            "Network.requestWillBeSent",
            lambda event: requests.update({event["requestId"]: event["request"]["url"]}),
        )
        devtools.on(
            "Network.loadingFinished",
            lambda event: sizes.update(
                {requests[event["requestId"]]: int(event["encodedDataLength"])}
            ),
        )
        await page.click("button[type=submit]")
        await page.wait_for_url("**/")
        await cold.goto(f"/{SITE}?period=day")
        await cold.wait_for_selector(".u-over")
        await cold.wait_for_timeout(500)
        assert len(sizes) > 10
        total = sum(sizes.values())
        print(f"report: {total:,} bytes in {len(sizes)} answers")
        assert total <= MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])
        again = await cold.evaluate(
            "async (url) => (await fetch(url)).headers.get('cache-control')",
            next(url for url in sizes if "/static/" in url),
        )
        assert "immutable" in again
    finally:
        await context.close()
