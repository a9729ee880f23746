"""Every page on a phone: nothing sticks out at its side, and nothing is cut."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.routing import Route
from tests.browser.dashboard import SITE, Server, now, reader, running, shoot

from analytics import dashboard
from analytics.breaker import Breaker
from analytics.catalog import shared_links
from analytics.dashboard import admin_page
from analytics.dashboard.panels import PANELS
from analytics.event import Drop, DropReason
from analytics.person import Scope
from analytics.registry.base import Listed, Replica
from analytics.testing import sample

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LONG: Final = f"{'a' * 60}.{'b' * 60}.{'c' * 50}.example.com"
NO_PAGES: Final = {"/favicon.ico", "/{domain}/live", "/share/{domain}/live"}
"""Addresses that show nothing by themselves."""
ELSEWHERE: Final = {"/setup"}
"""It is gone as soon as there is an account: see test_dashboard_pages.py."""

CUT: Final = """() => [...document.querySelectorAll("main *")].filter((element) => {
  const style = getComputedStyle(element);
  return element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1
    && style.display !== "inline" && style.textOverflow !== "ellipsis"
    && !element.closest("svg, pre, [data-scrolls], .settings-nav, .hidden")
    && !element.matches("select, input, textarea, datalist");
}).map((element) => `${element.tagName}.${element.className} is ${element.scrollWidth} wide`)"""
"""What is wider than its box, but for what scrolls and shows that it does."""
OPEN: Final = """() => document.querySelectorAll("main details:not(.menu)").forEach((details) => {
  details.open = true; })"""
LARGE: Final = """() => document.querySelectorAll(".ledger td, .equation dd").forEach((cell) => {
  if (/^[0-9]/.test(cell.textContent)) cell.firstChild.textContent = "12,345,678"; })"""


def paths() -> dict[str, list[str]]:
    """The addresses to look at, by the route that answers them."""
    tabs = [tab.key for panel in PANELS.values() for tab in panel.tabs]
    return {
        "/": ["/", "/?search=nothing"],
        "/login": ["/login"],
        "/account": ["/account"],
        "/sites/new": ["/sites/new"],
        "/admin": ["/admin"],
        "/admin/confirm": ["/admin/confirm?form=remove-person&email=second@example.test"],
        "/{domain}": [
            f"/{SITE}",
            f"/{LONG}",
            f"/{SITE}?period=day&f=is,page,/x",
            f"/{SITE}?metric=x",
        ],
        "/{domain}/start": [f"/{SITE}/start", f"/{LONG}/start"],
        "/{domain}/list/{tab}": [
            f"/{SITE}/list/{tab}?prop=plan&sort={'bounce_rate' if tab == 'top' else 'visitors'}"
            for tab in tabs
        ],
        "/{domain}/ledger": [f"/{SITE}/ledger", f"/{SITE}/ledger?day=TODAY", f"/{LONG}/ledger"],
        "/{domain}/settings": [f"/{SITE}/settings", f"/{LONG}/settings"],
        "/{domain}/settings/confirm": [f"/{LONG}/settings/confirm?form=remove-site"],
        "/share/{domain}": [f"/share/{SITE}?auth=SECRET"],
        "/share/{domain}/list/{tab}": [f"/share/{SITE}/list/top?auth=SECRET"],
        "/share/{domain}/unlock": [f"/share/{SITE}/unlock?auth=LOCKED"],
    }


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with everything that may be long on it."""
    async with running(tmp_path) as server:
        await server.people_and_site()
        people, sites, keys = server.catalog.people, server.catalog.sites, server.catalog.keys
        for name in (LONG, *(f"site-{n}.test" for n in range(60))):
            await sites.add(name, timezone="Etc/UTC")
        viewer = f"second.{'person' * 8}@{LONG}"
        await people.add(viewer[:250], "a password to see with", owner=False, sites=[SITE, LONG])
        await people.add("second@example.test", "a password to see with", owner=False)
        await keys.create(scopes=[*Scope], site=None, label="K" * 100)
        at = now()
        await server.take(sample.records(SITE, until=at, days=40, a_day=20))
        drops = [Drop(site=SITE, received_at=at, reason=reason) for reason in DropReason]
        await server.take(
            [*drops, Drop(site="shpo" * 30, received_at=at, reason=DropReason.UNKNOWN_SITE)]
        )
        server.breakers += [Breaker("cassandra", "Figures of long ago are missing, and say so.")]
        server.breakers[0].trip("StoreUnavailable: " + "10.0.0.1:9042," * 20)
        far = Replica(
            address=f"{'replica' * 8}.eu-central.internal:8000",
            modules=("ingest", "dashboard", "admin"),
            version="0.2.0.dev1+g0123456789",
            started_at=at,
            fault="log: " + "/very/long/path" * 12,
        )
        server.replicas += [Listed(far, at)]
        yield server


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_sticks_out_of_any_page_on_a_phone(
    browser: Browser, server: Server, scheme: str
) -> None:
    options = {"color_scheme": scheme, "viewport": {"width": 390, "height": 844}, "locale": "en"}
    deps = dashboard.DashboardContext(
        catalog=server.catalog, store=server.store, erases=server.store, clock=now, setup_token=None
    )
    served = {
        re.sub(r":\w+", "", route.path)
        for route in (*dashboard.routes(deps), *admin_page.routes(deps))
        if isinstance(route, Route) and "GET" in (route.methods or ())
    }
    assert served == {*paths(), *NO_PAGES, *ELSEWHERE}, "every page is looked at"
    faults: list[str] = []
    link = await shared_links.add_link(server.catalog, SITE, "L" * 60, now=now())
    locked = await shared_links.add_link(
        server.catalog, SITE, "Locked", now=now(), password_text="long enough"
    )
    async with reader(browser, server, **options) as context:
        page = await context.new_page()
        today = datetime.now(ZoneInfo("Europe/Berlin")).date().isoformat()
        for route, addresses in paths().items():
            for number, address in enumerate(addresses):
                secrets = address.replace("SECRET", link.secret).replace("LOCKED", locked.secret)
                await page.goto(secrets.replace("TODAY", today))
                await page.evaluate(OPEN)
                await page.evaluate(LARGE)
                name = re.sub(r"\W+", "-", route).strip("-") or "sites"
                await shoot(page, f"phone-{name}-{number}-{scheme}")
                faults += [f"{address}: {each}" for each in await page.evaluate(CUT)]
    assert faults == [], "\n".join(faults)
