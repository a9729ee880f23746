"""The dashboard served for a browser: its store, its people, and its word that rows came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Page
from tests.browser.web import serving

from analytics import dashboard
from analytics.breaker import Breaker
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import admin_page
from analytics.dashboard.session import COOKIE
from analytics.event import Hit, LogRecord
from analytics.gateway.route_table import RouteLine
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.registry.base import Listed
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample
from analytics.testing.builders import hit

OWNER: Final = "owner@shop.test"
PASSWORD: Final = "long enough"
SITE: Final = "shop.test"
ARTIFACTS: Final = Path(__file__).parents[1] / "artifacts"

COMPLAIN: Final = """
  window.complaints = [];
  addEventListener("securitypolicyviolation", (event) =>
    complaints.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""

TABLE: Final = [
    RouteLine("/api/event", "POST", "ingest", served=True),
    RouteLine("/pixel.gif", "GET", "ingest", served=True),
    RouteLine("/api/ledger", "GET", "admin", served=True),
    RouteLine("/admin", "GET", "admin", served=True),
    RouteLine("/api/v1/stats/realtime/visitors", "GET", "dashboard", served=False),
    RouteLine("/{domain}/settings", "GET, POST", "dashboard", served=False),
]


def now() -> int:
    """Now, in milliseconds."""
    return time.time_ns() // 1_000_000


def pageview(visitor: int = 1, **fields: Any) -> Hit:
    """Return a pageview of `SITE` of this moment by *visitor*, changed by *fields*."""
    return hit(now(), visitor=visitor, site=SITE, hostname=SITE, **fields)


@dataclass
class Server:
    """A running dashboard."""

    store: DuckDBStore
    catalog: SqliteCatalog
    breakers: list[Breaker] = field(default_factory=list)
    replicas: list[Listed] = field(default_factory=list)
    port: int = 0
    _state: PipelineState = field(default_factory=lambda: PipelineState(Sources()))
    _offset: int = 0
    _written: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, records: Sequence[LogRecord]) -> None:
        """Store *records* as the projector would, and tell the pages."""
        batch = sample.batch(records, start=self._offset, state=self._state)
        await self.store.write(batch)
        async with self._written:
            self._offset = batch.next_offset
            self._written.notify_all()

    async def changed(self) -> AsyncIterator[None]:
        """A step each time that something was stored."""
        seen = self._offset
        while True:
            async with self._written:
                await self._written.wait_for(lambda: self._offset > seen)  # noqa: B023
                seen = self._offset
            yield

    async def listed(self) -> Sequence[Listed]:
        """Who is there."""
        return self.replicas

    def at(self, path: str) -> str:
        """The address of *path*."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def people_and_site(self) -> None:
        """An owner and a site."""
        await self.catalog.people.add(OWNER, PASSWORD, owner=True)
        await self.catalog.sites.add(SITE, timezone="Europe/Berlin")


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Server]:
    """A dashboard with an empty store, on a free port."""
    async with (
        DuckDBStore(folder / "store.duckdb") as store,
        SqliteCatalog(":memory:") as catalog,
    ):
        server = Server(store, catalog)
        deps = dashboard.DashboardContext(
            catalog=catalog,
            store=store,
            erases=store,
            clock=now,
            setup_token="one-time",
            changed=server.changed,
            breakers=server.breakers,
            replicas=server.listed,
            table=lambda: TABLE,
        )
        routes = [*admin_page.routes(deps), *dashboard.routes(deps)]
        async with serving(*routes) as server.port:  # type: ignore[arg-type]
            yield server


@asynccontextmanager
async def reader(
    browser: Browser, server: Server, *, logged_in: bool = True, **options: object
) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own. Errors, script dialogs and breaches of the policy fail it."""
    faults: list[str] = []
    given = {"viewport": {"width": 1280, "height": 900}, **options}
    context = await browser.new_context(base_url=server.at(""), **given)  # type: ignore[arg-type]
    context.on("weberror", lambda error: faults.append(f"thrown: {error.error}"))
    context.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    await context.add_init_script(COMPLAIN)
    if logged_in:
        token = await server.catalog.people.log_in(OWNER, PASSWORD)
        await context.add_cookies([{"name": COOKIE, "value": token, "url": server.at("/")}])
    yield context
    for page in context.pages:
        if options.get("java_script_enabled", True):
            faults += await page.evaluate("window.complaints ?? []")
    await context.close()
    assert faults == []


async def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page, and check that nothing sticks out at its side."""
    ARTIFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
