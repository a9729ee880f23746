"""The ledger of one site is read by itself: what others have in theirs costs nobody anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from analytics import bounds, parsing, time_span
from analytics.api.ledger import LedgerApi
from analytics.catalog.sqlite import SqliteCatalog
from analytics.event import Drop, DropReason
from analytics.gateway.gate import Gate
from analytics.module import Module
from analytics.person import Person, Scope
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample
from analytics.units import DAY_MS, HOUR_MS

NOW = 1_795_478_400_000
MINE, OTHER = "mine.example", "other.example"


class Read(DuckDBStore):
    """A store that notes of which sites it was asked for the ledger."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sites: list[str | None] = []

    async def ledger(
        self,
        site: str | None = None,
        *,
        span: tuple[int, int] = time_span.ALWAYS,
        most: int | None = None,
    ) -> Mapping[LedgerKey, LedgerLine]:
        self.sites.append(site)
        return await super().ledger(site, span=span, most=most)


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


async def asked(store: Read, catalog: SqliteCatalog, **params: str) -> httpx2.Response:
    _, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None)
    gate = Gate(
        [Module(name="admin", routes=LedgerApi(store, catalog, nobody).routes())], ["admin"]
    )
    transport = httpx2.ASGITransport(gate)
    async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
        headers = {"authorization": f"Bearer {secret}"}
        return await client.get("/api/ledger", params=params, headers=headers)


async def nobody(_: Request) -> Person | None:
    return None


def drops(site: str, hours: int) -> list[Drop]:
    reasons = (DropReason.OPTED_OUT, DropReason.SHIELD_IP)
    return [
        Drop(site=site, received_at=NOW - hour * HOUR_MS, reason=reason)
        for hour in range(hours)
        for reason in reasons
    ]


async def test_a_ledger_of_too_many_lines_is_refused_by_the_bound_and_read_by_parts(
    store: Read, catalog: SqliteCatalog
) -> None:
    most = bounds.LEDGER_LINES
    hours = most // 6 + 1  # a line and two reasons an hour, of two sites
    await store.write(sample.batch([*drops(MINE, hours), *drops(OTHER, hours)]))
    refused = await asked(store, catalog)
    assert refused.status_code == 400
    assert refused.json()["field"] == "from"
    assert f"{most:,} at most" in refused.text
    assert (await asked(store, catalog, site=MINE)).status_code == 200
    begin, end = "2026-11-23", "2026-11-23"
    part = await asked(store, catalog, **{"from": begin, "to": end})
    day = parsing.moment(begin, "from", "Etc/UTC")
    shown = {hour["hour"] for site in part.json()["sites"] for hour in site["hours"]}
    assert shown == set(range(day, day + DAY_MS, HOUR_MS))
    assert (await asked(store, catalog, **{"from": "soon"})).json()["field"] == "from"
