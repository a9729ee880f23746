"""Pages that break what the tracker needs are counted all the same."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext
from tests.browser.web import Collector, Pages, opened

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MODULE = "<script type=module {attributes} src={tracker}></script>"


async def test_two_tags_on_one_page_count_once(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = f"<script defer {pages.attributes} src={collector.tracker}></script>"
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("analytics('after')")
    await collector.events(1, "after")
    assert len(collector.named("pageview")) == 1


async def test_another_product_of_the_same_name_keeps_it(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = "<script>analytics = {track: () => 'theirs'}</script>"
    page = await opened(visitor, pages.at("/"))
    await collector.events(1, "pageview")
    assert await page.evaluate("analytics.track()") == "theirs"


HOSTILE = {
    "fetch is broken": "window.fetch = () => { throw 1 }",
    "fetch is gone": "window.fetch = undefined",
    "arrays and text have a toJSON": "for (const type of [Array, String, Object, Number])"
    " type.prototype.toJSON = () => 'spoilt'",
    "JSON is another": "JSON.stringify = () => 'spoilt'; JSON.parse = () => { throw 1 }",
    "Array.from is another": "Array.from = given => [].concat(given)",
    "bind is another": "Function.prototype.bind = function () { return this }",
    "the cookie's name is an element's": "document.documentElement.id = '_va'",
    "navigation is an element": "document.documentElement.id = 'navigation'",
    "storage is forbidden": "Object.defineProperty(window, 'localStorage', {get() { throw 1 }})",
    "storage is full": "for (let size = 1 << 23; size; size >>= 1)"
    " try { localStorage['fill' + size] = 'x'.repeat(size) } catch {}",
    "history is frozen": "Object.freeze(History.prototype); Object.freeze(history)",
    "cookies are forbidden": "Object.defineProperty(document, 'cookie', {get: () => '', set() {}})",
    "cookies throw": "Object.defineProperty(document, 'cookie', {get() { throw 1 }, set() {}})",
    "there are no locks": "Object.defineProperty(navigator, 'locks', {value: undefined})",
    "locks are refused": "if (navigator.locks) navigator.locks.request = async () => { throw 1 }",
}


@pytest.mark.parametrize("obstacle", HOSTILE)
async def test_a_page_view_arrives_although(
    visitor: BrowserContext, pages: Pages, collector: Collector, obstacle: str
) -> None:
    pages.attributes += " data-allow-local"
    pages.head = f"<script>{HOSTILE[obstacle]}</script>"
    page = await opened(visitor, pages.at("/", "localhost"))
    await page.evaluate("analytics('later', null)")
    events = await collector.events(2)
    assert [e["n"] for e in events] == ["pageview", "later"]


@pytest.mark.parametrize(
    "obstacle",
    ["crypto.getRandomValues = () => { throw 1 }", "navigator.sendBeacon = fetch = undefined"],
)
async def test_nothing_is_thrown_on_the_page_when(
    visitor: BrowserContext, pages: Pages, obstacle: str
) -> None:
    pages.head = f"<script>{obstacle}</script>"
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("analytics('call', {props: 1}); history.pushState({}, '', '/next')")
    await page.goto("about:blank")


async def test_a_module_script_finds_its_tag_by_its_address(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = MODULE.format(
        attributes="data-cookieless data-allow-automation", tracker=collector.tracker
    )
    pages.tracker = "data:text/javascript,"
    page = await opened(visitor, pages.at("/"))
    (view,) = await collector.events(1)
    assert (view["d"], view["u"]) == ("shop.test", pages.at("/"))
    assert "vid" not in view
    assert await visitor.cookies() == []
    assert await page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    "element",
    [
        "<section id=analytics></section>",
        "<form id=analytics><input name=q><input name=track></form>",
        "<a id=analytics></a><a id=analytics></a>",
    ],
)
async def test_an_element_of_the_same_name_is_in_nobodys_way(
    visitor: BrowserContext, pages: Pages, collector: Collector, element: str
) -> None:
    pages.body_first = element
    pages.head = "<script>analytics('early')</script>"
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("analytics('late')")
    assert [e["n"] for e in await collector.events(3)] == ["pageview", "early", "late"]
