"""No event is lost or doubled while the server is away, or when the page closes first."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext
from tests.browser.web import Collector, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ONLINE = "dispatchEvent(new Event('online'))"
STORED = "Object.keys(localStorage).filter(key => key.startsWith('_va ')).length"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_refused_event_is_sent_again_with_its_id_and_time(
    visitor: BrowserContext, pages: Pages, collector: Collector, status: int
) -> None:
    collector.status = status
    page = await visitor.new_page()
    await page.goto(pages.at("/"))
    await collector.until(lambda: len(collector.received) == 1)
    await page.evaluate("const now = Date.now; Date.now = () => now() + 60_000")
    collector.status = 202
    await page.evaluate(ONLINE)
    (event,) = await collector.events(1)
    first = collector.received[0]
    assert "ts" not in first, "the server's clock dates what is sent at once"
    made = event["id"][:12]
    assert event.pop("ts") == int(made, 16), "a UUIDv7 begins with the time it was made"
    assert event == first
    await page.wait_for_function(STORED + " === 0")


async def test_it_is_sent_again_without_being_asked(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 503
    page = await visitor.new_page()
    await page.goto(pages.at("/"))
    await collector.until(lambda: len(collector.received) == 2)
    collector.status = 202
    await collector.events(1)


async def test_an_invalid_event_is_not_sent_again(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 400
    page = await visitor.new_page()
    await page.goto(pages.at("/"))
    await collector.until(lambda: len(collector.received) == 1)
    await page.wait_for_function(STORED + " === 0")


async def test_what_a_closed_page_could_not_send_the_next_one_sends_in_order(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await visitor.new_page()
    await page.goto(pages.at("/"))
    await collector.events(1)
    collector.status = 503
    for number in range(10):
        await page.evaluate(f"analytics('event', {{props: {{number: {number}}}}})")
    await page.close()
    await collector.until(lambda: len({e["id"] for e in collector.received}) == 12)
    collector.status = 202

    page = await visitor.new_page()
    await page.goto(pages.at("/back"))
    await collector.events(2, "pageview")
    events = await collector.events(10, "event")
    assert [e["p"]["number"] for e in events] == [*range(10)]
    assert {e["u"] for e in events} == {pages.at("/")}
    back = collector.accepted.index(collector.named("pageview")[1])
    assert all(collector.accepted.index(e) < back for e in events), "oldest first"


async def test_a_page_left_while_the_server_is_away_loses_nothing(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 503
    page = await visitor.new_page()
    for path in ("/one", "/two", "/three"):
        await page.goto(pages.at(path))
        await page.wait_for_function(STORED + " > 0")
        await page.evaluate("analytics('seen')")
    collector.status = 202
    await page.goto(pages.at("/four"))
    await collector.events(4, "pageview")
    await collector.events(3, "seen")
    await collector.events(3, "engagement")
    views = sorted(collector.named("pageview"), key=lambda event: str(event["id"]))
    assert [e["u"] for e in views] == [pages.at(p) for p in ("/one", "/two", "/three", "/four")]


@pytest.mark.parametrize("host", ["localhost", "shop.test"], ids=["locks", "no locks"])
async def test_two_tabs_count_each_event_once(
    visitor: BrowserContext, pages: Pages, collector: Collector, host: str
) -> None:
    pages.attributes += " data-allow-local"
    collector.status = 503
    tabs = [await visitor.new_page(), await visitor.new_page()]
    for tab in tabs:
        await tab.goto(pages.at("/", host))
        assert await tab.evaluate("!!navigator.locks") == (host == "localhost")
        await tab.evaluate("for (let i = 0; i < 5; i++) analytics('event')")
    await tabs[0].wait_for_function(STORED + " === 12")
    collector.status = 202
    for tab in tabs:
        await tab.evaluate(ONLINE)
    await collector.events(12)
    await tabs[0].wait_for_function(STORED + " === 0")


async def test_the_outbox_is_bounded(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 503
    page = await visitor.new_page()
    await page.goto(pages.at("/"))
    await page.evaluate("for (let i = 0; i < 150; i++) analytics('event', {props: {i}})")
    await page.goto(pages.at("/next"))
    await page.wait_for_function(STORED + " === 100")
    kept = await page.evaluate(
        "Object.keys(localStorage).sort().map(key => JSON.parse(localStorage[key]))"
    )
    assert min(e["p"]["i"] for e in kept if e["n"] == "event") > 0, "the oldest make room"
    assert pages.at("/next") in {e["u"] for e in kept}


async def test_an_event_of_a_page_before_keeps_its_time(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 503
    page = await visitor.new_page()
    await page.goto(pages.at("/one"))
    await page.evaluate("analytics('click')")
    await page.goto(pages.at("/two"))
    await page.wait_for_function(STORED + " > 3")
    collector.status = 202
    await page.evaluate(ONLINE)
    await page.wait_for_function(STORED + " === 0")
    untimed = {e["u"] for e in collector.accepted if "ts" not in e}
    assert untimed <= {pages.at("/two")}


async def test_what_is_older_than_three_days_is_given_up(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    collector.status = 503
    page = await visitor.new_page()
    await page.goto(pages.at("/old"))
    await page.wait_for_function(STORED + " === 1")
    await page.evaluate(
        """() => {
            const [key] = Object.keys(localStorage)
            const days = 3.1 * 86400e3
            const time = (Date.now() - days).toString(16).split('.')[0].padStart(12, '0')
            localStorage[key.replace(/ [0-9a-f]{12}/, ' ' + time)] = localStorage[key]
            delete localStorage[key]
        }"""
    )
    collector.status = 202
    await page.goto(pages.at("/new"))
    await page.wait_for_function(STORED + " === 0")
    assert [e["u"] for e in collector.named("pageview")] == [pages.at("/new")]


async def test_outboxes_of_two_servers_do_not_mix(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await visitor.new_page()
    await page.route("**/other/event", lambda route: route.fulfill(status=503))
    attributes, pages.attributes = pages.attributes, pages.attributes + " data-api=/other/event"
    await page.goto(pages.at("/elsewhere"))
    await page.wait_for_function(STORED + " === 1")
    pages.attributes = attributes
    await page.goto(pages.at("/here"))
    await collector.events(1, "pageview")
    assert {e["u"] for e in collector.received} == {pages.at("/here")}
