"""How long a page was used, and how far down it was read."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext
from tests.browser.web import Collector, Pages, opened

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHELL = """<style>html, body {{ height: 100%; margin: 0; overflow: hidden }}</style>
<main style="height: 100%; {style}"><div style="height: 6000px">long</div></main>"""


async def test_leaving_reports_scroll_depth_and_engaged_time(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.bodies["/long"] = "<div style='height: 6000px'>long</div>"
    page = await opened(visitor, pages.at("/long"))
    await page.evaluate("new Promise(done => { onscroll = done; scrollTo(0, 2400) })")
    await page.goto("about:blank")
    (ping,) = await collector.events(1, "engagement")
    assert ping["u"] == pages.at("/long")
    assert 45 <= ping["sd"] <= 55
    assert ping["e"] > 0


async def test_each_page_of_a_single_page_app_has_its_own_engagement(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.bodies["/"] = "<div style='height: 6000px'>long</div>"
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("document.body.innerHTML = ''; history.pushState({}, '', '/short')")
    await page.goto("about:blank")
    first, second = await collector.events(2, "engagement")
    assert (first["u"], second["u"]) == (pages.at("/"), pages.at("/short"))
    assert second["sd"] == 100


async def test_a_hidden_page_is_not_engaged(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = "<script>document.hasFocus = () => false</script>"
    page = await opened(visitor, pages.at("/"))
    await page.goto("about:blank")
    (ping,) = await collector.events(1, "engagement")
    assert ping["e"] == 0


async def test_a_page_that_is_left_sends_a_beacon(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    await visitor.add_init_script(
        "addEventListener('pagehide', () => { fetch = () => new Promise(() => {}) })"
    )
    page = await opened(visitor, pages.at("/"))
    await collector.events(1, "pageview")
    await page.goto("about:blank")
    await collector.events(1, "engagement")
    assert collector.types == {"text/plain;charset=UTF-8"}


@pytest.mark.parametrize(
    ("style", "scroll", "least", "most"),
    [
        ("overflow: auto", 0, 8, 12),
        ("overflow-y: scroll", 2400, 45, 55),
        ("overflow: hidden", 0, 100, 100),
    ],
)
async def test_a_page_that_scrolls_inside_an_element_has_that_elements_depth(
    visitor: BrowserContext,
    pages: Pages,
    collector: Collector,
    style: str,
    scroll: int,
    least: int,
    most: int,
) -> None:
    pages.bodies["/"] = SHELL.format(style=style)
    page = await opened(visitor, pages.at("/"))
    await collector.events(1)
    if scroll:
        await page.evaluate(
            """top => new Promise(done => {
                const main = document.querySelector('main')
                main.onscroll = done
                main.scrollTop = top
            })""",
            scroll,
        )
    await page.goto("about:blank")
    (report,) = await collector.events(1, "engagement")
    assert least <= report["sd"] <= most


async def test_a_long_sitting_is_reported_now_and_then(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await visitor.new_page()
    await page.clock.install()
    await page.goto(pages.at("/"))
    await collector.events(1, "pageview")
    await page.clock.run_for("45:00")
    await collector.until(lambda: len(collector.named("engagement")) >= 9)
    reports = collector.named("engagement")
    assert {e["u"] for e in reports} == {pages.at("/")}
    assert sum(e["e"] for e in reports) == pytest.approx(45 * 60_000, abs=60_000)
    assert max(e["e"] for e in reports) < 30 * 60_000
