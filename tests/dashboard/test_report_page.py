"""The full list behind a panel."""

from __future__ import annotations

import re

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, SITE, hit

from analytics.dashboard.panels import PANELS
from analytics.store.duckdb import DuckDBStore
from analytics.testing.sample import batch

TABS = [tab.key for panel in PANELS.values() for tab in panel.tabs if tab.key != "props"]


@pytest.fixture
async def filled(store: DuckDBStore) -> DuckDBStore:
    hits = [hit(NOW - 1000 + n, visitor=n, path=f"/page-{n:03}") for n in range(230)]
    hits.append(hit(NOW, visitor=1, path="/page-001", name="signup", props={"plan": "team"}))
    await store.write(batch(hits))
    return store


def _paths(page: str) -> list[str]:
    return re.findall(r'title="(/page-\d+)"', page)


@pytest.mark.usefixtures("filled")
class TestList:
    async def test_pages_of_a_hundred_hold_every_row_once(self, owner: Client) -> None:
        seen: list[str] = []
        for number in (1, 2, 3):
            page = await owner.get(f"/{SITE}/list/top?period=day&page={number}")
            seen += _paths(page.text)
        assert sorted(seen) == [f"/page-{n:03}" for n in range(230)]
        assert "230 rows" in page.text
        assert "page 3 of 3" in page.text

    async def test_a_search_narrows_the_list(self, owner: Client) -> None:
        page = await owner.get(f"/{SITE}/list/top?period=day&search=PAGE-22")
        assert _paths(page.text) == [f"/page-22{n}" for n in range(10)]

    async def test_it_sorts_by_any_of_its_metrics(self, owner: Client) -> None:
        for metric in PANELS["pages"].tab("top").metrics:
            page = await owner.get(f"/{SITE}/list/top?period=day&sort={metric.value}")
            assert page.status_code == 200
            assert page.text.count('aria-sort="descending"') == 1

    async def test_every_list_has_an_answer_for_each_column(self, owner: Client) -> None:
        for tab in TABS:
            assert (await owner.get(f"/{SITE}/list/{tab}?period=day")).status_code == 200, tab

    async def test_a_property_has_a_list_too(self, owner: Client) -> None:
        page = await owner.get(f"/{SITE}/list/props?period=day&prop=plan")
        assert "team" in page.text
        assert (await owner.get(f"/{SITE}/list/props?period=day")).status_code == 400

    async def test_nonsense_is_a_400(self, owner: Client) -> None:
        for query in ("page=0", "page=x", "page=-1", "sort=glory"):
            assert (await owner.get(f"/{SITE}/list/top?{query}")).status_code == 400, query

    async def test_an_unknown_list_is_a_404(self, owner: Client) -> None:
        assert (await owner.get(f"/{SITE}/list/nothing")).status_code == 404
