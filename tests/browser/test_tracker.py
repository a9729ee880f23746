"""What tracker.js sends, and when; docs/tracker.md says the same in words."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext, Page
from tests.browser.web import Collector, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def opened(visitor: BrowserContext, url: str, referer: str | None = None) -> Page:
    page = await visitor.new_page()
    await page.goto(url, referer=referer)
    return page


async def test_a_page_view_says_what_was_seen(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    await opened(visitor, pages.at("/a?utm_source=mail#part"), referer="https://search.test/q")
    (event,) = await collector.events(1)
    assert UUID7.fullmatch(event.pop("id"))
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", event.pop("vid"))
    assert event == {
        "n": "pageview",
        "u": pages.at("/a?utm_source=mail"),
        "d": "shop.test",
        "r": "https://search.test/q",
        "t": "Title of /a",
        "l": "en-US",
        "s": "1000x600",
        "v": 1,
    }
    assert collector.types == {"text/plain;charset=UTF-8"}, "anything else needs a preflight"


async def test_the_cookie_is_made_once_for_the_whole_domain(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/", "www.shop.co.uk"))
    await page.goto(pages.at("/", "news.shop.co.uk"))
    first, second = await collector.events(2, "pageview")
    (cookie,) = await visitor.cookies()
    assert first["vid"] == second["vid"] == cookie["value"]
    assert (cookie["name"], cookie["domain"], cookie["path"]) == ("_va", ".shop.co.uk", "/")
    assert cookie["sameSite"] == "Lax"
    now = await page.evaluate("Date.now() / 1000")
    assert cookie["expires"] - now == pytest.approx(395 * 86400, abs=3600)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_cookie_is_made_on_hosts_without_a_domain_too(
    visitor: BrowserContext, pages: Pages, collector: Collector, host: str
) -> None:
    pages.attributes += " data-allow-local"
    await opened(visitor, pages.at("/", host))
    (event,) = await collector.events(1)
    (cookie,) = await visitor.cookies()
    assert event["vid"] == cookie["value"]


async def test_a_cookie_that_is_there_is_kept(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    await visitor.add_cookies([{"name": "_va", "value": "mine", "url": pages.at("/")}])
    await opened(visitor, pages.at("/"))
    (event,) = await collector.events(1)
    assert event["vid"] == "mine"


async def test_cookieless_leaves_nothing_on_the_device(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.attributes += " data-cookieless"
    collector.status = 503
    page = await opened(visitor, pages.at("/"))
    await collector.until(lambda: bool(collector.received))
    assert "vid" not in collector.received[0]
    assert await visitor.cookies() == []
    assert await page.evaluate("localStorage.length") == 0


async def test_navigation_within_a_page_counts(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/"))
    await collector.events(1, "pageview")
    await page.evaluate("history.pushState({}, '', '/two'); document.title = 'Two'")
    await collector.events(2, "pageview")
    await page.evaluate("history.replaceState({}, '', '/two?filter=on')")
    await page.evaluate(
        "history.replaceState({}, '', '/three'); history.pushState({}, '', '/four')"
    )
    await collector.events(4, "pageview")
    await page.evaluate("history.back()")
    seen = await collector.events(5, "pageview")
    assert [e["u"] for e in seen] == [
        pages.at(p) for p in ("/", "/two", "/three", "/four", "/three")
    ]
    assert [e["r"] for e in seen[1:]] == [pages.at(p) for p in ("/", "/two", "/three", "/four")]
    assert seen[1]["t"] == "Two"


async def test_the_fragment_counts_when_asked(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.attributes += " data-hash"
    page = await opened(visitor, pages.at("/#/one"))
    await page.evaluate("location.hash = '/two'")
    first, second = await collector.events(2, "pageview")
    assert (first["u"], second["u"]) == (pages.at("/#/one"), pages.at("/#/two"))
    assert first["h"] == 1


async def test_the_fragment_does_not_count_otherwise(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/#secret"))
    await page.evaluate("location.hash = 'other'; analytics('after')")
    view, after = await collector.events(2)
    assert view["u"] == after["u"] == pages.at("/")


LINKS = """
<a id=out href="http://elsewhere.test:{port}/there?x=1"><b>out</b></a>
<a id=file href="/files/report.pdf">file</a>
<a id=in href="/inside">in</a>
<a id=buy href="http://elsewhere.test:{port}/" data-analytics-event="Buy"
   data-analytics-event-plan="pro">buy</a>
<form id=plain action="/thanks"><input name=mail><button>go</button></form>
<form id=named action="/thanks" data-analytics-event="Signup"><button>go</button></form>
"""


@pytest.mark.parametrize(
    ("selector", "name", "props"),
    [
        ("#out b", "Outbound Link: Click", {"url": "http://elsewhere.test:{port}/there?x=1"}),
        ("#file", "File Download", {"url": "http://shop.test:{port}/files/report.pdf"}),
        ("#buy", "Buy", {"plan": "pro"}),
        ("#plain button", "Form: Submission", {"path": "/"}),
        ("#named button", "Signup", {}),
    ],
)
async def test_a_click_or_a_submit_is_one_event(
    visitor: BrowserContext,
    pages: Pages,
    collector: Collector,
    selector: str,
    name: str,
    props: dict[str, str],
) -> None:
    pages.bodies["/"] = LINKS.format(port=pages.port)
    page = await opened(visitor, pages.at("/"))
    await collector.events(1)
    await page.click(selector)
    await collector.events(1, name)
    assert [e["p"] for e in collector.named(name)] == [
        {key: value.format(port=pages.port) for key, value in props.items()}
    ]
    others = {e["n"] for e in collector.accepted} - {"pageview", "engagement", name}
    assert others == set()


async def test_a_link_within_the_site_is_no_event(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.bodies["/"] = LINKS.format(port=pages.port)
    page = await opened(visitor, pages.at("/"))
    await page.click("#in")
    await collector.events(2, "pageview")
    assert {e["n"] for e in collector.accepted} <= {"pageview", "engagement"}


async def test_custom_events_carry_props_and_revenue(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/"))
    await page.evaluate(
        """analytics('Order', {props: {plan: 'pro', seats: 3}, interactive: false,
                               revenue: {currency: 'EUR', amount: 12.5}})"""
    )
    await page.evaluate("analytics('404')")
    _, order, missing = await collector.events(3)
    assert order["p"] == {"plan": "pro", "seats": 3}
    assert order["$"] == {"currency": "EUR", "amount": 12.5}
    assert order["i"] is False
    assert missing["n"] == "404"
    assert missing["u"] == pages.at("/")


async def test_calls_from_before_the_script_came_follow_the_page_view(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.head = "<script>analytics('early', {props: {a: 1}}); analytics('second')</script>"
    await opened(visitor, pages.at("/"))
    events = await collector.events(3)
    assert [e["n"] for e in events] == ["pageview", "early", "second"]


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


async def test_a_prerendered_page_waits_until_it_is_seen(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    await visitor.add_init_script("Object.defineProperty(document, 'prerendering', {value: true})")
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("analytics('queued')")
    assert collector.received == []
    await page.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    events = await collector.events(2)
    assert [e["n"] for e in events] == ["pageview", "queued"]


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


async def test_a_page_from_the_cache_of_the_browser_is_seen_again(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await collector.events(2, "pageview")


async def test_browsers_without_keepalive_send_a_beacon_when_they_leave(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    await visitor.add_init_script("delete Request.prototype.keepalive")
    await visitor.add_init_script("onpagehide = () => { fetch = () => Promise.reject() }")
    page = await opened(visitor, pages.at("/"))
    await collector.events(1, "pageview")
    await page.goto("about:blank")
    await collector.events(1, "engagement")
    assert collector.types == {"text/plain;charset=UTF-8"}


HOSTILE = {
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
    [
        "crypto.getRandomValues = () => { throw 1 }",
        "window.fetch = () => { throw 1 }",
        "window.fetch = undefined",
        "JSON.stringify = () => { throw 1 }",
    ],
)
async def test_nothing_is_thrown_on_the_page_when(
    visitor: BrowserContext, pages: Pages, obstacle: str
) -> None:
    pages.head = f"<script>{obstacle}</script>"
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("analytics('call', {props: 1}); history.pushState({}, '', '/next')")
    await page.goto("about:blank")
