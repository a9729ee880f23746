"""The dashboard in a real browser: first run, report, live figures, light and dark, phone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from tests.browser.dashboard import (
    OWNER,
    PASSWORD,
    SITE,
    Server,
    now,
    pageview,
    reader,
    running,
    shoot,
)

from analytics.breaker import Breaker
from analytics.registry.base import Listed, Replica
from analytics.testing import sample

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def busy(server: Server) -> Server:
    """A site with two months of readers."""
    await server.people_and_site()
    await server.take(sample.records(SITE, until=now(), days=60, a_day=60))
    return server


def figure(page: Page, name: str) -> str:
    return f"#card-{name} .figure-value"


async def test_the_first_run_ends_with_the_first_pageview(browser: Browser, server: Server) -> None:
    async with reader(browser, server, logged_in=False, timezone_id="Asia/Tehran") as context:
        page = await context.new_page()
        await page.goto("/")
        await expect(page.get_by_role("heading", name="Almost there")).to_be_visible()
        await shoot(page, "welcome")
        await page.goto("/setup?token=one-time")
        await shoot(page, "setup")
        await page.get_by_label("Email").fill(OWNER)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_label("Password again").fill(PASSWORD)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_label("Time zone")).to_have_value("Asia/Tehran")
        await page.get_by_label("Domain").fill(SITE)
        await page.get_by_role("button", name="Continue").click()
        snippet = f'<script defer data-domain="{SITE}" src="{server.at("")}/tracker.js"></script>'
        await expect(page.locator("code").last).to_have_text(snippet)
        await expect(page.get_by_text("Waiting for the first pageview")).to_be_visible()
        await server.take([pageview()])
        await expect(page.get_by_text("The first pageview has arrived")).to_be_visible()
        await shoot(page, "start")
        await page.get_by_role("link", name="Open the report").click()
        await expect(page.locator("#card-visitors .figure-value")).to_have_text("1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "width"), [("desktop", 1280), ("phone", 390)])
async def test_every_page_fits_its_screen(
    browser: Browser, busy: Server, scheme: str, device: str, width: int
) -> None:
    viewport = {"width": width, "height": 844}
    async with reader(browser, busy, viewport=viewport, color_scheme=scheme) as context:
        page = await context.new_page()
        for name, path in {
            "report": f"/{SITE}",
            "filtered": f"/{SITE}?period=day&f=is,source,Google&f=contains,page,/docs",
            "year": f"/{SITE}?period=12mo&metric=bounce_rate",
            "list": f"/{SITE}/list/top",
            "sites": "/",
            "ledger": f"/{SITE}/ledger",
            "settings": f"/{SITE}/settings",
            "new-site": "/sites/new",
            "missing": "/nowhere.test",
        }.items():
            await page.goto(path)
            await shoot(page, f"{name}-{device}-{scheme}")
        await page.goto(f"/{SITE}")
        await expect(page.locator(".plot canvas")).to_be_visible()


async def test_a_click_filters_without_leaving_and_back_returns(
    browser: Browser, busy: Server
) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}")
        everyone = await page.locator(figure(page, "visitors")).inner_text()
        await page.evaluate("window.stayed = true")
        await page.locator("#sources").get_by_role("link", name="Google", exact=True).click()
        chip = page.get_by_role("link", name="Remove the filter Source is Google")
        await expect(chip).to_be_visible()
        await expect(page.locator(figure(page, "visitors"))).not_to_have_text(everyone)
        await page.locator("#tab-browser").click()
        await expect(page.locator("#devices th").filter(has_text="Chrome").first).to_be_visible()
        await page.locator("#card-bounce_rate").click()
        await expect(page.locator("#card-bounce_rate")).to_have_attribute("aria-current", "true")
        await chip.click()
        await expect(chip).to_have_count(0)
        for _ in range(4):
            await page.go_back()
        await expect(page).to_have_url(re.compile(rf"/{SITE}$"))
        await expect(page.locator(figure(page, "visitors"))).to_have_text(everyone)
        assert await page.evaluate("window.stayed") is True


async def test_the_filter_form_and_the_date_picker_work(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=30d")
        await page.locator("#filter-menu > summary").click()
        await page.locator("select[name=f_name]").select_option("Page")
        await page.locator("select[name=f_op]").select_option("contains")
        await page.locator("input[name=f_value]").fill("/DOCS")
        await page.get_by_role("button", name="Add filter").click()
        await expect(page.locator(".chip")).to_contain_text("Page contains /DOCS")
        await expect(page.locator("#pages tbody tr")).to_have_count(4)
        await page.locator("#period-menu > summary").click()
        await page.get_by_label("From").fill("2026-01-01")
        await page.get_by_label("To", exact=True).fill("2026-01-31")
        await page.get_by_role("button", name="Show this range").click()
        await expect(page.locator("#period-menu > summary")).to_have_text("1 – 31 Jan 2026")
        await expect(page.locator(".plot-legend")).to_contain_text("1 – 31 Jan 2026")
        await expect(page.locator(".chip")).to_have_count(1)


async def test_details_open_over_the_report(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}")
        await page.get_by_role("link", name="Details of Top pages").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("heading", name="Top pages")).to_be_visible()
        await shoot(page, "dialog")
        await dialog.get_by_role("link", name="Scroll").click()
        await expect(dialog.locator("[aria-sort]")).to_contain_text("Scroll")
        await dialog.get_by_role("link", name="/pricing").click()
        await expect(dialog).to_have_count(0)
        await expect(page.locator(".chip")).to_contain_text("Page is /pricing")


async def test_current_visitors_and_figures_follow_the_store(
    browser: Browser, server: Server
) -> None:
    await server.people_and_site()
    await server.take([pageview(1)])
    async with reader(browser, server) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=day")
        await expect(page.get_by_text("1 current visitor", exact=True)).to_be_visible()
        await page.evaluate("window.stayed = true")
        await server.take([pageview(2), pageview(3, path="/pricing")])
        await expect(page.get_by_text("3 current visitors")).to_be_visible()
        await expect(page.locator(figure(page, "visitors"))).to_have_text("3", timeout=15_000)
        await expect(page.locator("#pages")).to_contain_text("/pricing")
        assert await page.evaluate("window.stayed") is True


async def test_new_figures_wait_until_an_open_menu_is_closed(
    browser: Browser, server: Server
) -> None:
    await server.people_and_site()
    await server.take([pageview(1)])
    async with reader(browser, server) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=day")
        await expect(page.locator(figure(page, "visitors"))).to_have_text("1")

        async def news(route: Route) -> None:  # the page with new figures is on its way...
            await page.keyboard.press("f")  # ...when the reader opens a menu
            await route.continue_()

        field = page.locator("select[name=f_name]")
        await page.route(lambda url: "period=day" in url, news)
        async with page.expect_response(lambda answer: "period=day" in answer.url):
            await server.take([pageview(2)])
        await page.unroute_all()
        await expect(page.get_by_text("2 current visitors")).to_be_visible()
        await expect(field).to_be_focused()
        await expect(page.locator(figure(page, "visitors"))).to_have_text("1")
        await page.keyboard.press("Escape")
        await expect(page.locator(figure(page, "visitors"))).to_have_text("2", timeout=15_000)


async def test_the_readers_own_light_or_dark_is_kept(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy, color_scheme="light") as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(ground)
        await page.get_by_role("button", name="Switch between light and dark").click()
        dark = await page.evaluate(ground)
        assert dark != light
        await page.reload()
        assert await page.evaluate(ground) == dark


async def test_keys_choose_periods_and_explain_themselves(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}")
        await page.keyboard.press("d")
        await expect(page).to_have_url(re.compile("period=day"))
        await page.keyboard.press("x")
        await expect(page).to_have_url(re.compile("compare=off"))
        # The address changes first; what was asked for comes a moment later.
        await expect(page.locator("a[data-key=x].on")).to_have_count(0)
        await page.keyboard.press("?")
        await expect(page.get_by_role("heading", name="Keys")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("heading", name="Keys")).not_to_be_visible()
        field = page.locator("select[name=f_name]")
        await page.keyboard.press("f")
        await expect(field).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(field).not_to_be_visible()


async def test_everything_is_there_without_javascript(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=7d")
        await page.get_by_text("Show as a table").click()
        await expect(page.locator("#plot-data tbody tr")).to_have_count(7)
        await page.locator("#sources").get_by_role("link", name="Google", exact=True).click()
        await expect(page.locator(".chip")).to_contain_text("Source is Google")
        await page.locator("#period-menu > summary").click()
        await page.get_by_role("link", name="Yesterday").click()
        await expect(page.locator("#plot-data tbody tr")).to_have_count(24)
        await expect(page.locator(".chip")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "width"), [("desktop", 1280), ("phone", 390)])
async def test_the_owner_sees_how_the_server_is(
    browser: Browser, server: Server, scheme: str, device: str, width: int
) -> None:
    await server.people_and_site()
    server.breakers += [
        Breaker("kafka", "Hits are written to this server's own disk, and sent on later."),
        Breaker("ignite", "Figures come from what this server has copied, and say as of when."),
    ]
    server.breakers[0].trip("LogUnavailable: 127.0.0.1:9092 refused the connection")
    started = now() - 75 * 60_000
    every = ("ingest", "dashboard", "admin")
    one = Replica(address="10.0.0.1:8000", modules=every, version="0.1.0", started_at=started)
    two = Replica(
        address="replica-2.eu-central.internal:8000",
        modules=("ingest",),
        version="0.1.0",
        started_at=started,
        fault="log: less than 256 MiB are free on the disk of the spool",
    )
    server.replicas += [Listed(one, now()), Listed(two, now() - 8_000)]
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    async with reader(browser, server, **options) as context:
        page = await context.new_page()
        await page.goto("/")
        await page.get_by_label("Account of").click()
        await page.get_by_role("link", name="Server").click()
        await expect(page.get_by_role("heading", name="Server", exact=True)).to_be_visible()
        await expect(page.get_by_text("Left alone")).to_be_visible()
        await expect(page.get_by_text("replica-2.eu-central.internal:8000")).to_be_visible()
        await page.get_by_text("dashboard", exact=True).click()
        await expect(page.get_by_text("/{domain}/settings")).to_be_visible()
        await shoot(page, f"admin-{device}-{scheme}")


async def test_going_back_closes_the_details_and_leaves_the_report(
    browser: Browser, busy: Server
) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=7d")
        await page.evaluate("window.stayed = true")
        details = page.get_by_role("link", name="Details of Top pages")
        dialog = page.get_by_role("dialog")
        report, the_list = re.compile(rf"/{SITE}\?period=7d$"), re.compile(r"/list/top\?")
        await details.click()
        await expect(dialog).to_be_visible()
        await expect(page).to_have_url(the_list)
        await dialog.get_by_role("searchbox").fill("docs")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("search=docs"))
        await expect(dialog.get_by_role("searchbox")).to_be_focused()
        await dialog.get_by_role("link", name="Visitors").click()
        await expect(dialog.locator("[aria-sort=ascending]")).to_contain_text("Visitors")
        await page.go_back()
        await expect(dialog).to_have_count(0)
        await expect(page).to_have_url(report)
        await page.go_forward()
        await expect(dialog.get_by_role("searchbox")).to_have_value("docs")
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(page).to_have_url(report)
        await details.click()
        await expect(dialog).to_be_visible()
        await page.get_by_role("button", name="Close").click()
        await expect(page).to_have_url(report)
        await expect(details).to_be_focused()
        assert await page.evaluate("window.stayed") is True
        await details.click()
        await expect(page).to_have_url(the_list)
        await page.reload()  # it has an address of its own
        await expect(page.get_by_role("heading", name="Top pages")).to_be_visible()
        await page.go_back()
        await expect(page.locator(figure(page, "visitors"))).to_be_visible()
        await expect(page.locator(".plot canvas")).to_be_visible()


async def test_the_keyboard_keeps_its_place(browser: Browser, busy: Server) -> None:
    async with reader(browser, busy) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=7d")
        row = page.locator("#sources").get_by_role("link", name="Google", exact=True)
        await row.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".chip")).to_contain_text("Source is Google")
        await expect(row).to_be_focused()
        await page.locator("#tab-browser").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#tab-browser")).to_have_attribute("aria-current", "true")
        await expect(page.locator("#tab-browser")).to_be_focused()
        await page.get_by_role("link", name="Remove the filter").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".chip")).to_have_count(0)
        assert await page.evaluate("document.activeElement !== document.body")
        await page.locator("#period-menu > summary").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Yesterday").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#period-menu > summary")).to_have_text("Yesterday")
        await expect(page.locator("#period-menu > summary")).to_be_focused()


async def test_a_machine_turns_nothing_green(browser: Browser, server: Server) -> None:
    await server.people_and_site()
    async with reader(browser, server) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}/start")
        await expect(page.get_by_text("Waiting for the first pageview")).to_be_visible()
        await server.take([pageview(bot="tool", browser="curl")])
        await expect(page.get_by_text("A bot has sent a hit (curl)")).to_be_visible()
        await expect(page.get_by_text("The first pageview has arrived")).not_to_be_visible()
        await server.take([pageview(2)])
        await expect(page.get_by_text("The first pageview has arrived")).to_be_visible()
        for text in ("A bot has sent a hit", "A hit has arrived from a hostname"):
            await expect(page.get_by_text(text)).not_to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_who_reads_the_site_besides_people(
    browser: Browser, busy: Server, width: int, scheme: str
) -> None:
    read = {"GPTBot": 5, "ChatGPT-User": 4, "Googlebot": 3, "Googlebot (unverified)": 2, "curl": 1}
    machines = [
        pageview(visitor, browser=name, bot="crawler")
        for visitor, (name, times) in enumerate(read.items(), 1000)
        for _ in range(times)
    ]
    await busy.take(machines)
    viewport = {"width": width, "height": 844}
    async with reader(browser, busy, viewport=viewport, color_scheme=scheme) as context:
        page = await context.new_page()
        await page.goto(f"/{SITE}?period=day")
        people = await page.locator(figure(page, "visitors")).inner_text()
        devices = page.locator("#devices")
        await devices.get_by_role("link", name="Machines", exact=True).click()
        await expect(devices.locator("tbody th")).to_have_text([*read])
        await expect(devices.locator("tbody td")).to_have_text([str(n) for n in read.values()])
        await expect(page.locator(figure(page, "visitors"))).to_have_text(people)
        await shoot(page, f"machines-{width}")
        await devices.locator(".tabs-more > summary").click()
        await devices.get_by_role("link", name="Purposes").click()
        await expect(devices.locator("tbody th").first).to_have_text("Training")
        await shoot(page, f"machines-by-purpose-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await devices.get_by_role("link", name="Person's question").click()
        await expect(page.locator(".chip")).to_have_text([re.compile("Person's question")])
        await expect(page.locator(figure(page, "pageviews"))).to_have_text("4")
        await shoot(page, f"machines-chosen-{width}")


@pytest.mark.parametrize("width", [1280, 390])
async def test_long_and_many_names_fit(browser: Browser, server: Server, width: int) -> None:
    await server.people_and_site()
    long = f"{'a' * 60}.{'b' * 60}.{'c' * 50}.example.com"
    for name in (long, "xn--bcher-kva.example", *(f"site-{n}.test" for n in range(20))):
        await server.catalog.sites.add(name, timezone="Etc/UTC")
    viewport = {"width": width, "height": 844}
    async with reader(browser, server, viewport=viewport) as context:
        page = await context.new_page()
        for path in ("settings", "settings/confirm?form=remove-site", "start", "ledger", ""):
            await page.goto(f"/{long}/{path}".rstrip("/"))
            await shoot(page, f"long-{path.partition('/')[0] or 'report'}-{width}")
            await page.locator(".switcher > summary").click()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.get_by_role("searchbox", name="Find a site").fill("bücher")
        await expect(page.locator("[data-site]:visible")).to_have_text(["bücher.example"])
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="bücher.example")).to_be_visible()
