"""When the tracker sends nothing, and how it says why on the console."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext
from tests.browser.web import Collector, Pages, opened

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def quiet(visitor: BrowserContext, pages: Pages, collector: Collector, host: str) -> None:
    """Visit `/` on *host*, call the API, and see that only a page that may report does."""
    page = await opened(visitor, pages.at("/", host))
    await page.evaluate("analytics('call')")
    await page.goto("about:blank")
    pages.head, pages.attributes = "", "data-domain=control.test data-allow-automation"
    control = await visitor.browser.new_context()  # type: ignore[union-attr]
    await (await control.new_page()).goto(pages.at("/"))
    await collector.events(1, "pageview")
    await control.close()
    assert {e["d"] for e in collector.received} == {"control.test"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "dev.localhost"])
async def test_this_machine_is_ignored(
    visitor: BrowserContext, pages: Pages, collector: Collector, host: str
) -> None:
    await quiet(visitor, pages, collector, host)


async def test_automation_is_ignored(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.attributes = "data-domain=shop.test"
    await quiet(visitor, pages, collector, "shop.test")


async def test_who_opted_out_is_ignored(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = "<script>localStorage.analytics_ignore = 'true'</script>"
    await quiet(visitor, pages, collector, "shop.test")


@pytest.mark.parametrize(
    "signal", ["doNotTrack: {value: '1'}", "globalPrivacyControl: {value: true}"]
)
async def test_privacy_signals_are_honoured_when_asked(
    visitor: BrowserContext, pages: Pages, collector: Collector, signal: str
) -> None:
    pages.attributes += " data-dnt"
    await visitor.add_init_script(f"Object.defineProperties(navigator, {{{signal}}})")
    await quiet(visitor, pages, collector, "shop.test")


async def warnings(visitor: BrowserContext, pages: Pages, host: str = "shop.test") -> list[str]:
    """Return what a visit of `/` puts on the console, after it has called the tracker."""
    page = await visitor.new_page()
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    await page.goto(pages.at("/", host))
    await page.evaluate("analytics('call')")
    await page.goto("about:blank")
    return lines


async def test_a_script_without_a_tag_does_nothing_and_says_so_once(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    address = collector.tracker
    pages.tracker = "data:text/javascript,"
    pages.head = f"""<script>
        fetch('{address}').then(answer => answer.text()).then(eval)
        window.analytics = window.analytics || (() => {{}})
        addEventListener('load', () => fetch('{address}').then(answer => answer.text()).then(eval))
    </script>"""
    page = await visitor.new_page()
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    await page.goto(pages.at("/"))
    await page.wait_for_function("window._va === 1")
    await page.evaluate("analytics('call')")
    await page.goto(pages.at("/next"))
    await page.wait_for_function("window._va === 1")
    assert lines == ["Analytics off: no src"] * 2
    assert collector.received == []
    assert await visitor.cookies() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "dev.localhost"])
async def test_what_to_add_for_this_machine_stands_on_the_console(
    visitor: BrowserContext, pages: Pages, host: str
) -> None:
    assert await warnings(visitor, pages, host) == ["Analytics off: no data-allow-local"]


async def test_what_to_add_for_automation_stands_on_the_console(
    visitor: BrowserContext, pages: Pages
) -> None:
    pages.attributes = "data-domain=shop.test"
    assert await warnings(visitor, pages) == ["Analytics off: no data-allow-automation"]


async def test_a_page_that_is_counted_says_nothing(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    assert await warnings(visitor, pages) == []
    await collector.events(1, "call")
