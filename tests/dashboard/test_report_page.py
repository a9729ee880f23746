"""The full list behind a panel."""

from __future__ import annotations

import re

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW

from analytics.dashboard.panels import PANELS
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
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

    @pytest.mark.parametrize(
        "path", ["?period=custom&from=2026-05-32&to=2026-06-01", "/list/props"]
    )
    async def test_what_cannot_be_read_leads_back_to_a_report(
        self, owner: Client, path: str
    ) -> None:
        refused = await owner.get(f"/{SITE}{path}")
        assert refused.status_code == 400
        assert f'href="/{SITE}">Back to the page' in refused.text
        assert (await owner.get(f"/{SITE}")).status_code == 200

    async def test_nonsense_is_a_400(self, owner: Client) -> None:
        for query in ("page=0", "page=x", "page=-1", "sort=glory"):
            assert (await owner.get(f"/{SITE}/list/top?{query}")).status_code == 400, query

    async def test_an_unknown_list_is_a_404(self, owner: Client) -> None:
        assert (await owner.get(f"/{SITE}/list/nothing")).status_code == 404


async def test_a_page_behind_the_last_is_the_last(owner: Client, store: DuckDBStore) -> None:
    await store.write(batch([hit(NOW - n, visitor=n, path=f"/{n:03}") for n in range(1, 121)]))
    page = (await owner.get(f"/{SITE}/list/top?period=day&page=99")).text
    assert "page 2 of 2" in page
    assert page.count('<th scope="row">') == 20
    assert "No pages were viewed" not in page


async def test_countries_and_languages_are_found_by_their_names(
    owner: Client, store: DuckDBStore
) -> None:
    hits = [
        hit(NOW - 3, visitor=1, country="DE", language="de-AT"),
        hit(NOW - 2, visitor=2, country="GB", language="en"),
        hit(NOW - 1, visitor=3, country="", language=""),
    ]
    await store.write(batch(hits))

    async def rows(tab: str, search: str) -> list[str]:
        page = (await owner.get(f"/{SITE}/list/{tab}?period=day&search={search}")).text
        return re.findall(r'<th scope="row">.*?title="([^"]*)"', page, re.DOTALL)

    for search in ("germ", "Germany", "de", "DE"):
        assert await rows("country", search) == ["DE"], search
    assert await rows("country", "united") == ["GB"]
    assert await rows("country", "france") == []
    assert await rows("language", "german") == ["de-AT"]
    assert await rows("language", "de-") == ["de-AT"]
    page = (await owner.get(f"/{SITE}/list/country?period=day")).text
    assert "<span>Germany</span>" in page
    assert (
        "<span>German (Austria)</span>"
        in (await owner.get(f"/{SITE}/list/language?period=day")).text
    )
    filtered = await owner.get(f"/{SITE}?period=day&f_name=country&f_op=is&f_value=germany")
    assert filtered.headers["location"] == f"/{SITE}?period=day&f=is%2Ccountry%2CDE"


async def test_rows_of_few_visitors_come_last_when_a_rate_sorts_the_list(
    owner: Client, store: DuckDBStore
) -> None:
    hits = [hit(NOW - 1000 - n, visitor=n, path="/half") for n in range(20)]
    hits += [hit(NOW - n, visitor=n, path="/next") for n in range(10)]
    hits += [hit(NOW - 3000 - n, visitor=100 + n, path="/left") for n in range(6)]
    hits.append(hit(NOW - 9000, visitor=200, path="/alone"))
    hits += [hit(NOW - 9000, visitor=201, path="/pair"), hit(NOW, visitor=201, path="/next")]
    await store.write(batch(hits))
    url = f"/{SITE}/list/top?period=day"

    async def order(more: str) -> list[str]:
        return re.findall(r'title="(/[a-z]+)"', (await owner.get(url + more)).text)

    assert await order("&sort=bounce_rate") == ["/left", "/half", "/next", "/alone", "/pair"]
    ascending = await order("&sort=bounce_rate&dir=asc")
    assert ascending == ["/half", "/left", "/next", "/pair", "/alone"]
    note = "Rows with fewer than 5 visitors come last"
    assert note in (await owner.get(url + "&sort=bounce_rate")).text
    assert note not in (await owner.get(url)).text
    assert await order("&sort=pageviews&dir=asc") == ["/alone", "/pair", "/left", "/next", "/half"]


async def test_a_time_that_nobody_measured_is_not_zero(owner: Client, store: DuckDBStore) -> None:
    read = hit(NOW - 500, name="engagement", path="/read", engaged_ms=61_000, scroll_depth=80)
    hits = [hit(NOW - 1000, path="/read"), read, hit(NOW, visitor=2, path="/imported")]
    await store.write(batch(hits))
    page = (await owner.get(f"/{SITE}/list/top?period=day&sort=time_on_page")).text
    assert re.findall(r'title="(/[a-z]+)"', page) == ["/read", "/imported"]
    assert "1m 01s" in page
    assert "<td>0s</td>" not in page
    assert "Only the tracker measures" in page
    other = (await owner.get(f"/{SITE}/list/top?period=day&search=read")).text
    assert "Only the tracker measures" not in other


async def test_a_list_is_sorted_both_ways(owner: Client, store: DuckDBStore) -> None:
    hits = [
        hit(NOW - 9 + n, visitor=v, path=p)
        for n, (v, p) in enumerate([(1, "/a"), (2, "/b"), (3, "/b")])
    ]
    await store.write(batch(hits))
    url = f"/{SITE}/list/top?period=day&sort=visitors"

    async def order(more: str) -> list[str]:
        return re.findall(r'title="(/[ab])"', (await owner.get(url + more)).text)

    assert await order("") == ["/b", "/a"]
    assert await order("&dir=asc") == ["/a", "/b"]
    assert 'aria-sort="ascending"' in (await owner.get(url + "&dir=asc")).text
