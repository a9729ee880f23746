"""The ledger of one site is read by itself: what others have in theirs costs nobody anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from analytics.api.ledger import LedgerApi
from analytics.catalog.sqlite import SqliteCatalog
from analytics.person import Scope
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample

NOW = 1_795_478_400_000
MINE, OTHER = "mine.example", "other.example"


class Read(DuckDBStore):
    """A store that notes of which sites it was asked for the ledger."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sites: list[str | None] = []

    async def ledger(self, site: str | None = None) -> Mapping[LedgerKey, LedgerLine]:
        self.sites.append(site)
        return await super().ledger(site)


@pytest.fixture
async def catalog() -> AsyncIterator[SqliteCatalog]:
    async with SqliteCatalog(":memory:", now_ms=lambda: NOW) as catalog:
        for site in (MINE, OTHER):
            await catalog.sites.add(site, timezone="Etc/UTC")
        yield catalog


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Read]:
    async with Read(tmp_path / "store.duckdb") as store:
        for site in (MINE, OTHER):
            records = sample.records(site, until=NOW, days=1, a_day=5, seed=1)
            await store.write(sample.batch(records))
        yield store


@pytest.mark.parametrize(
    ("of", "asked", "read"),
    [(MINE, {}, [MINE]), (MINE, {"site": MINE}, [MINE]), (None, {"site": MINE}, [MINE]),
     (None, {}, [None])],
)  # fmt: skip
async def test_only_what_is_shown_is_read(
    store: Read,
    catalog: SqliteCatalog,
    of: str | None,
    asked: dict[str, str],
    read: list[str | None],
) -> None:
    _, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=of)
    transport = httpx2.ASGITransport(Starlette(routes=LedgerApi(store, catalog, "c").routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
        headers = {"authorization": f"Bearer {secret}"}
        reply = await client.get("/api/ledger", params=asked, headers=headers)
    assert [site["site"] for site in reply.json()["sites"]] == (
        [MINE] if read == [MINE] else [MINE, OTHER]
    )
    assert store.sites == read
