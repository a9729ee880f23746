"""One visit in Chromium, Firefox and WebKitGTK, counted by the real server: the same figures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from starlette.routing import Route
from tests.browser.chromium import Chromium
from tests.browser.firefox import Firefox
from tests.browser.web import Pages, serving
from tests.browser.webkit import WebKit
from tests.server import Server

from analytics.catalog import service
from analytics.catalog.sqlite import SqliteCatalog

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ENGINES = (Chromium, Firefox, WebKit)
FIGURES = {
    "visitors": "1",
    "visits": "1",
    "pageviews": "4",
    "views_per_visit": "4",
    "bounce_rate": "0%",
}
CARD = re.compile(r'id="card-(\w+)".*?class="figure-value"[^>]*>([^<]*)<', re.DOTALL)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a site for each engine, whose figures everybody may see."""
    server = Server(tmp_path / "data")
    for engine in ENGINES:
        await server.command("site", "add", site(engine))
    async with SqliteCatalog(server.data / "catalog.sqlite") as catalog:
        for each in catalog.sites.all():
            await service.change_site(catalog, each.domain, public=True)
    await server.start()
    yield server
    await server.stop()


def site(engine: type) -> str:
    return f"{engine.__name__.lower()}.localhost"


def pages(server: Server, domain: str) -> Pages:
    """A site whose three pages each link to the next."""
    pages = Pages(f"http://stats.localhost:{server.port}/tracker.js")
    pages.attributes = f"data-domain={domain} data-allow-automation data-allow-local"
    for path, following in (("/one", "/two"), ("/two", "/three"), ("/three", "/one")):
        pages.bodies[path] = f"<a id=next href={following}>next</a>"
    return pages


async def stored(server: Server, domain: str, **least: int) -> list[str]:
    """The names of a site's events, when there are *least* of these kinds."""
    for _ in range(60):
        names = [row["name"] for row in await server.rows(domain)]
        if all(names.count(name) >= count for name, count in least.items()):
            return sorted(names)
        await asyncio.sleep(0.5)
    raise AssertionError(f"only these came of {domain}: {names}")


async def figures(server: Server, domain: str) -> dict[str, str]:
    """What a report of today shows, test browsers included."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=30) as client:
        page = await client.get(f"/{domain}", params={"period": "day", "bots": "1"})
    return dict(CARD.findall(page.text))


async def test_a_visit_has_the_same_figures_in_every_engine(server: Server, tmp_path: Path) -> None:
    shown: dict[str, dict[str, str]] = {}
    for kind in ENGINES:
        domain = site(kind)
        shop = pages(server, domain)
        async with serving(Route("/{path:path}", shop.answer)) as shop.port:
            engine = await kind.start(tmp_path / domain)
            try:
                await engine.open(shop.at("/one", domain))
                await stored(server, domain, pageview=1)
                await engine.click("#next")
                await stored(server, domain, pageview=2)
                await engine.click("#next")
                await stored(server, domain, pageview=3)
                await engine.back()
                names = await stored(server, domain, pageview=4, engagement=3)
            finally:
                await engine.kill()
        assert names == ["engagement"] * 3 + ["pageview"] * 4
        cards = await figures(server, domain)
        shown[domain] = {name: cards[name] for name in FIGURES}
    assert shown == {site(kind): FIGURES for kind in ENGINES}
    await server.balance()


@pytest.mark.parametrize("kind", ENGINES)
async def test_a_server_whose_port_is_closed_is_waited_for(
    server: Server, tmp_path: Path, kind: type[Chromium | Firefox | WebKit]
) -> None:
    domain = site(kind)
    shop = pages(server, domain)
    async with httpx2.AsyncClient() as client:
        shop.scripts["/kept.js"] = (await client.get(server.url + "/tracker.js")).text
    shop.attributes += f" data-api=http://stats.localhost:{server.port}/api/event"
    async with serving(Route("/{path:path}", shop.answer)) as shop.port:
        shop.tracker = shop.at("/kept.js", domain)  # as a browser's cache would have it
        await server.stop()  # from now on its port refuses connections
        engine = await kind.start(tmp_path / domain)
        try:
            await engine.open(shop.at("/one", domain))
            await engine.click("#next")
            await server.start()
            await engine.click("#next")
            names = await stored(server, domain, pageview=3, engagement=2)
        finally:
            await engine.kill()
    assert names == ["engagement"] * 2 + ["pageview"] * 3
    assert len({row["visitor"] for row in await server.rows(domain)}) == 1
    await server.balance()
