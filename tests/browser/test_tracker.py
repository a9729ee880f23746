"""What tracker.js sends, and when; docs/tracker.md says the same in words."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext, Page
from tests.browser.web import Collector, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

UUID7 = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


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


MODULE = "<script type=module {attributes} src={tracker}></script>"


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


SHELL = """<style>html, body {{ height: 100%; margin: 0; overflow: hidden }}</style>
<main style="height: 100%; {style}"><div style="height: 6000px">long</div></main>"""


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
