"""The dashboard over a real store and a real catalog, asked without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from tests.dashboard.world import NOW, OWNER, PASSWORD, VIEWER

from analytics import dashboard
from analytics.catalog import password
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext, admin_page
from analytics.dashboard.session import COOKIE
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE

Client = httpx2.AsyncClient


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(tmp_path / "store.duckdb") as store:
        yield store


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is the catalog's to test."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(password, "HASHER", cheap)


@pytest.fixture
async def catalog() -> AsyncIterator[SqliteCatalog]:
    async with SqliteCatalog(":memory:", now_ms=lambda: NOW) as catalog:
        yield catalog


@pytest.fixture
def deps(store: DuckDBStore, catalog: SqliteCatalog) -> DashboardContext:
    return DashboardContext(
        catalog=catalog, store=store, erases=store, clock=lambda: NOW, setup_token="one-time"
    )


@pytest.fixture
async def connect(deps: DashboardContext) -> AsyncIterator[Callable[..., Client]]:
    """Makes clients of the app; *host* is where they seem to come from."""
    handlers = {HTTPException: dashboard.error_page, Exception: dashboard.error_page}
    routes = [*admin_page.routes(deps), *dashboard.routes(deps)]
    app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    made: list[Client] = []

    def client(host: str = "127.0.0.1", token: str = "", base: str = "http://localhost") -> Client:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(host, 1))
        cookies = {COOKIE: token} if token else {}
        made.append(Client(transport=transport, base_url=base, cookies=cookies))
        return made[-1]

    yield client
    for each in made:
        await each.aclose()


@pytest.fixture
async def peopled(catalog: SqliteCatalog) -> SqliteCatalog:
    """An owner, a viewer of one site, and two sites."""
    await catalog.people.add(OWNER, PASSWORD, owner=True)
    await catalog.sites.add(SITE, timezone="Europe/Berlin")
    await catalog.sites.add("other.example", timezone="Asia/Tehran")
    await catalog.people.add(VIEWER, PASSWORD, owner=False, sites=[SITE])
    return catalog


@pytest.fixture
async def owner(connect: Callable[..., Client], peopled: SqliteCatalog) -> Client:
    return connect(token=await peopled.people.log_in(OWNER, PASSWORD))


@pytest.fixture
async def viewer(connect: Callable[..., Client], peopled: SqliteCatalog) -> Client:
    return connect(token=await peopled.people.log_in(VIEWER, PASSWORD))


@pytest.fixture
def stranger(connect: Callable[..., Client]) -> Client:
    return connect()
