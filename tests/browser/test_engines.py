"""The same visit in Chromium, Firefox and WebKitGTK: the same events, in time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.routing import Route
from tests.browser.chromium import Chromium
from tests.browser.engine import Engine
from tests.browser.firefox import Firefox
from tests.browser.web import Collector, Pages, serving
from tests.browser.webkit import WebKit

from analytics import dashboard

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DASHBOARD = Path(dashboard.__file__).parent
HOST = "shop.localhost"
LINKS = "<a id=next href={next}>next</a>"

Start = Callable[[], Awaitable[Engine]]


@pytest_asyncio.fixture(loop_scope="session", params=[Chromium, Firefox, WebKit])
async def start(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Start]:
    """Start the browser of a visitor, who keeps the profile over several starts."""
    async with AsyncExitStack() as running:

        async def start() -> Engine:
            engine: Engine = await request.param.start(tmp_path / "profile")
            running.push_async_callback(engine.kill)
            return engine

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def shop(collector: Collector) -> AsyncIterator[Pages]:
    """A site whose pages each link to the next; its events go to `collector`."""
    pages = Pages(f"http://stats.localhost:{collector.port}/tracker.js")
    pages.attributes += " data-allow-local"
    for path, following in (("/one", "/two"), ("/two", "/three"), ("/three", "/one")):
        pages.bodies[path] = LINKS.format(next=following)
    async with serving(Route("/{path:path}", pages.answer)) as pages.port:
        yield pages


def at(shop: Pages, path: str) -> str:
    return shop.at(path, HOST)


def views(collector: Collector) -> list[str]:
    return [event["u"] for event in collector.named("pageview")]


def reports(collector: Collector) -> dict[str, int]:
    """How far each page was scrolled, in percent."""
    return {event["u"]: event["sd"] for event in collector.named("engagement")}


async def reported(collector: Collector, url: str) -> None:
    """Wait until a page's report has arrived."""
    await collector.until(lambda: url in reports(collector))


@pytest.mark.parametrize("mode", ["cookie", "cookieless"])
async def test_every_view_arrives_while_its_page_is_open(
    start: Start, shop: Pages, collector: Collector, mode: str
) -> None:
    shop.attributes += " data-cookieless" if mode == "cookieless" else ""
    engine = await start()
    await engine.open(at(shop, "/one"))
    await collector.events(1, "pageview")
    await engine.click("#next")
    await collector.events(2, "pageview")
    await engine.click("#next")
    await collector.events(3, "pageview")
    await engine.back()
    await collector.events(4, "pageview")
    await engine.back()
    await collector.events(5, "pageview")
    assert views(collector) == [at(shop, p) for p in ("/one", "/two", "/three", "/two", "/one")]
    left = [event["u"] for event in await collector.events(4, "engagement")]
    assert left == [at(shop, p) for p in ("/one", "/two", "/three", "/two")]
    visitors = {event.get("vid") for event in collector.accepted}
    assert len(visitors) == 1
    assert (visitors == {None}) == (mode == "cookieless")


async def test_closing_the_browser_loses_no_report_that_the_next_visit_can_bring(
    start: Start, shop: Pages, collector: Collector
) -> None:
    engine = await start()
    await engine.open(at(shop, "/one"))
    await engine.evaluate("analytics('seen')")
    await collector.events(1, "seen")
    await engine.quit()
    if not isinstance(engine, WebKit):  # which keeps nothing from one start to the next
        engine = await start()
        await engine.open(at(shop, "/two"))
        await collector.events(2, "pageview")
    (report,) = await collector.events(1, "engagement")
    assert report["u"] == at(shop, "/one")
    assert report["sd"] == 100


@pytest.mark.parametrize("way", ["the tab", "the browser"])
async def test_closing_reports_the_last_page_without_storage(
    start: Start, shop: Pages, collector: Collector, way: str
) -> None:
    shop.attributes += " data-cookieless"
    for attempt in range(1, 5):
        engine = await start()
        await engine.open(at(shop, f"/{attempt}"))
        await collector.events(attempt, "pageview")
        await (engine.leave() if way == "the tab" else engine.quit())
        await reported(collector, at(shop, f"/{attempt}"))
        await engine.kill()
    assert set(reports(collector).values()) == {100}


async def test_a_page_that_goes_on_after_all_still_reports(
    start: Start, shop: Pages, collector: Collector
) -> None:
    """A download is announced to the page like its end."""
    shop.bodies["/one"] = "<a id=next href=/prices.pdf download>prices</a>"
    engine = await start()
    await engine.open(at(shop, "/one"))
    await collector.events(1, "pageview")
    await engine.evaluate("void dispatchEvent(new Event('beforeunload'))")
    await collector.events(1, "engagement")
    await engine.click("#next")
    await collector.events(1, "File Download")


async def test_a_browser_that_is_killed_has_sent_its_views(
    start: Start, shop: Pages, collector: Collector
) -> None:
    engine = await start()
    await engine.open(at(shop, "/one"))
    await collector.events(1, "pageview")
    await engine.click("#next")
    await collector.events(2, "pageview")
    await engine.kill()
    engine = await start()
    await engine.open(at(shop, "/three"))
    await collector.events(3, "pageview")
    assert views(collector) == [at(shop, p) for p in ("/one", "/two", "/three")]


async def test_what_a_server_that_was_away_missed_arrives_once_it_is_back(
    start: Start, shop: Pages, collector: Collector
) -> None:
    collector.status = 503
    engine = await start()
    await engine.open(at(shop, "/one"))
    await collector.until(lambda: bool(collector.received))
    await engine.click("#next")
    await collector.until(lambda: at(shop, "/two") in {e["u"] for e in collector.received})
    collector.status = 202
    await engine.click("#next")
    await collector.events(3, "pageview")
    await collector.events(2, "engagement")
    assert {e["u"] for e in collector.named("pageview")} == {
        at(shop, p) for p in ("/one", "/two", "/three")
    }


async def test_an_event_that_is_too_large_does_not_stop_the_others(
    start: Start, shop: Pages, collector: Collector
) -> None:
    engine = await start()
    await engine.open(at(shop, "/one"))
    await collector.events(1, "pageview")
    await engine.evaluate("analytics('long', {props: {text: 'x'.repeat(100_000)}})")
    (long,) = await collector.events(1, "long")
    assert long["p"] == {"text": "x" * 3000}
    await engine.evaluate(
        """(() => {
            const props = {}
            for (let i = 0; i < 30; i++) props['n' + i] = '\u6f22'.repeat(3000)
            analytics('huge', {props})
            analytics('after')
        })()"""
    )
    await collector.events(1, "after")
    assert "huge" in {event["n"] for event in collector.received}, (
        "the server refuses it, and counts"
    )
    await engine.click("#next")
    await collector.events(2, "pageview")
    assert not collector.named("huge")


async def test_navigation_within_a_page_counts_however_the_router_does_it(
    start: Start, shop: Pages, collector: Collector
) -> None:
    shop.head = "<script>window.push = history.pushState.bind(history)</script>"
    engine = await start()
    await engine.open(at(shop, "/"))
    await collector.events(1, "pageview")
    await engine.evaluate("push({}, '', '/bound')")
    await collector.events(2, "pageview")
    await engine.evaluate("history.pushState({}, '', '/plain')")
    await collector.events(3, "pageview")
    await engine.evaluate("history.back()")
    await collector.events(4, "pageview")
    await engine.evaluate(
        "window.navigation ? void navigation.navigate('#top') : (location = '#top')"
    )
    await engine.evaluate("history.replaceState({}, '', '/last')")
    await collector.events(5, "pageview")
    assert views(collector) == [at(shop, p) for p in ("/", "/bound", "/plain", "/bound", "/last")]


async def test_the_cookie_of_an_address_belongs_to_that_address_alone(
    start: Start, shop: Pages, collector: Collector
) -> None:
    engine = await start()
    await engine.open(shop.at("/one", "127.0.0.1"))
    (view,) = await collector.events(1, "pageview")
    assert await engine.evaluate("document.cookie") == f"_va={view['vid']}"
    async with serving(Route("/{path:path}", shop.answer), host="127.1.0.1") as port:
        shop.attributes += " data-cookieless"
        await engine.open(f"http://127.1.0.1:{port}/one")
        assert await engine.evaluate("document.cookie") == ""


async def test_the_plot_loads_whatever_the_browser_calls_its_language(
    start: Start, shop: Pages, collector: Collector
) -> None:
    """WebKitGTK runs under `C.UTF-8` here, and names its language after that."""
    report = (DASHBOARD / "templates" / "report.html").read_text()
    names = re.findall(r"<script defer src=\"{{ static\('([^']+)'\)", report)
    assert names[-1] == "vendor/uplot.js"
    shop.scripts = {f"/{name}": (DASHBOARD / "static" / name).read_text() for name in names}
    shop.head = "".join(f"<script defer src=/{name}></script>" for name in names)
    engine = await start()
    await engine.open(at(shop, "/one"))
    assert await engine.evaluate("typeof window.uPlot") == "function"
