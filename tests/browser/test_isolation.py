"""Pages that isolate themselves, and pages whose monitoring changes every request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from tests.browser.web import serving
from tests.gateway.ways import running
from tests.ingest.world import SITE, Ingesting, ingesting

from analytics.event import Hit
from analytics.gateway import direct
from analytics.gateway.gate import Gate

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = f"""<!doctype html><title>Isolated</title><link rel="icon" href="data:,">
<img src="http://stats.test:{{port}}/pixel.gif?d={SITE}&u=https://{SITE}/isolated" alt="">
<script src="http://stats.test:{{port}}/tracker.js"></script>"""

SEND = """async ([address, body]) => (await fetch(address, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "sentry-trace": "771a43a4192642f0b136d5159a501700-0",
    baggage: "sentry-environment=production",
    "x-datadog-origin": "rum",
  },
  body,
})).status"""


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[Ingesting]:
    async with ingesting(tmp_path) as world:
        yield world


async def paths(world: Ingesting) -> list[str]:
    return [hit.path for hit in await world.records() if isinstance(hit, Hit)]


@pytest.mark.parametrize("policy", ["require-corp", "credentialless", "unsafe-none"])
async def test_a_picture_and_the_script_show_on_a_page_that_isolates_itself(
    visitor: BrowserContext, world: Ingesting, policy: str
) -> None:
    protocol = direct.protocol(world.module.event)
    async with running(Gate([world.module], ["ingest"]), protocol) as port:

        async def isolated(_: Request) -> Response:
            headers = {
                "Cross-Origin-Embedder-Policy": policy,
                "Cross-Origin-Opener-Policy": "same-origin",
            }
            return HTMLResponse(PAGE.format(port=port), headers=headers)

        async with serving(Route("/", isolated)) as site:
            page = await visitor.new_page()
            failed: list[str] = []
            page.on("requestfailed", lambda request: failed.append(request.url))
            await page.goto(f"http://shop.test:{site}/")
            assert await page.evaluate("document.images[0].naturalWidth") == 1
            assert failed == []
            assert await paths(world) == ["/isolated"]


@pytest.mark.parametrize("path", ["/api/event", "/api/events"])
async def test_headers_that_monitoring_adds_to_a_request_are_allowed(
    visitor: BrowserContext, world: Ingesting, path: str
) -> None:
    protocol = direct.protocol(world.module.event)

    async def plain(_: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Traced</title>")

    async with (
        running(Gate([world.module], ["ingest"]), protocol) as port,
        serving(Route("/", plain)) as site,
    ):
        page = await visitor.new_page()
        await page.goto(f"http://shop.test:{site}/")
        body = f'{{"n":"pageview","u":"https://{SITE}/traced","d":"{SITE}"}}'
        status = await page.evaluate(SEND, [f"http://stats.test:{port}{path}", body])
        assert status in (200, 202)
        assert await paths(world) == ["/traced"]
