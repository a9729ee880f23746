"""What tracker.js sends, and when; docs/tracker.md says the same in words."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext
from tests.browser.web import Collector, Pages, opened

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
UUID7 = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


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
        "h": False,
        "q": False,
        "dnt": False,
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
    assert first["h"] is True


async def test_the_fragment_does_not_count_otherwise(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/#secret"))
    await page.evaluate("location.hash = 'other'; analytics('after')")
    view, after = await collector.events(2)
    assert view["u"] == after["u"] == pages.at("/")


LINKS = """
<a id=out href="http://elsewhere.test:{port}/there?x=1"><b>out</b></a>
<a id=file href="/files/report.pdf?token=s#page=2">file</a>
<a id=pass href="http://ada:s3cr3t@elsewhere.test:{port}/there?x=1#y">with a password</a>
<a id=in href="/inside">in</a>
<a id=buy href="http://elsewhere.test:{port}/" data-analytics-event="Buy"
   data-analytics-event-plan="pro">buy</a>
<form id=plain action="/thanks"><input name=mail><button>go</button></form>
<form id=named action="/thanks" data-analytics-event="Signup"><button>go</button></form>
"""


@pytest.mark.parametrize(
    ("selector", "name", "props"),
    [
        ("#out b", "Outbound Link: Click", {"url": "http://elsewhere.test:{port}/there"}),
        ("#pass", "Outbound Link: Click", {"url": "http://elsewhere.test:{port}/there"}),
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


@pytest.mark.parametrize(
    ("selector", "name", "url"),
    [
        ("#out b", "Outbound Link: Click", "http://elsewhere.test:{port}/there?x=1"),
        ("#pass", "Outbound Link: Click", "http://elsewhere.test:{port}/there?x=1"),
        ("#file", "File Download", "http://shop.test:{port}/files/report.pdf?token=s"),
    ],
)
async def test_a_tag_may_ask_for_the_query_of_links(
    visitor: BrowserContext,
    pages: Pages,
    collector: Collector,
    selector: str,
    name: str,
    url: str,
) -> None:
    pages.bodies["/"] = LINKS.format(port=pages.port)
    pages.attributes += " data-link-query"
    page = await opened(visitor, pages.at("/"))
    await page.click(selector)
    (clicked,) = await collector.events(1, name)
    assert (clicked["p"], clicked["q"]) == ({"url": url.format(port=pages.port)}, True)


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


async def test_a_page_from_the_cache_of_the_browser_is_seen_again(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    page = await opened(visitor, pages.at("/"))
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await collector.events(2, "pageview")


DRAWN = """
<svg width=100 height=20>
  <a id=svg href="http://elsewhere.test:{port}/there?x=1"><text y=15>out</text></a></svg>
<svg width=100 height=20><a id=file href="files/report.pdf"><text y=15>file</text></a></svg>
<svg width=100 height=20 xmlns:xlink="http://www.w3.org/1999/xlink">
  <a id=old xlink:href="http://elsewhere.test:{port}/old"><text y=15>old</text></a></svg>
<svg width=100 height=20><a id=in href="/inside"><text y=15>in</text></a></svg>
<img usemap=#map width=50 height=50 src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<map name=map><area id=area shape=rect coords=0,0,50,50 href="http://elsewhere.test:{port}/area"></map>
"""


@pytest.mark.parametrize(
    ("selector", "name", "url"),
    [
        ("#svg text", "Outbound Link: Click", "http://elsewhere.test:{port}/there"),
        ("#file text", "File Download", "http://shop.test:{port}/files/report.pdf"),
        ("#old text", "Outbound Link: Click", "http://elsewhere.test:{port}/old"),
        ("img", "Outbound Link: Click", "http://elsewhere.test:{port}/area"),
    ],
)
async def test_links_in_drawings_and_maps_count(
    visitor: BrowserContext,
    pages: Pages,
    collector: Collector,
    selector: str,
    name: str,
    url: str,
) -> None:
    pages.bodies["/"] = DRAWN.format(port=pages.port)
    page = await opened(visitor, pages.at("/"))
    await collector.events(1)
    await page.click(selector)
    (event,) = await collector.events(1, name)
    assert event["p"] == {"url": url.format(port=pages.port)}


async def test_the_tag_hands_its_wish_to_honour_opt_outs_to_the_server(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.attributes += " data-dnt"
    await opened(visitor, pages.at("/"))
    (view,) = await collector.events(1)
    assert view["dnt"] is True


async def test_a_query_behind_the_hash_is_not_another_page(
    visitor: BrowserContext, pages: Pages, collector: Collector
) -> None:
    pages.attributes += " data-hash"
    page = await opened(visitor, pages.at("/#/one?tab=1"))
    await collector.events(1)
    await page.evaluate("location.hash = '/one?tab=2'")
    await page.evaluate("location.hash = '/two?tab=2'")
    first, second = await collector.events(2, "pageview")
    assert (first["u"], second["u"]) == (pages.at("/#/one?tab=1"), pages.at("/#/two?tab=2"))
