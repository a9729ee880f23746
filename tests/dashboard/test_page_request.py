"""Who may open which page, and how a refusal looks."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from tests.dashboard.conftest import Client

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext
from analytics.errors import QueryTooLong, StoreUnavailable
from analytics.query import Query, Result
from analytics.testing.builders import SITE

PAGES = ["", "/list/top", "/ledger", "/live", "/start"]


@pytest.mark.parametrize("page", PAGES)
async def test_a_viewer_sees_only_the_sites_given(viewer: Client, page: str) -> None:
    refused = await viewer.get(f"/other.example{page}")
    nowhere = await viewer.get(f"/nowhere.example{page}")
    assert refused.status_code == nowhere.status_code == 404
    assert "that you may see" in refused.text
    assert refused.text == nowhere.text.replace("nowhere.example", "other.example")


@pytest.mark.parametrize("page", ["/settings", "/ledger", "/start"])
async def test_a_public_report_opens_nothing_else(
    stranger: Client, peopled: SqliteCatalog, page: str
) -> None:
    site = peopled.sites.get(SITE)
    assert site is not None
    assert (await stranger.get(f"/{SITE}")).status_code == 303
    await peopled.sites.edit(site.domain, lambda site: msgspec.structs.replace(site, public=True))
    assert (await stranger.get(f"/{SITE}")).status_code == 200
    assert (await stranger.get(f"/{SITE}{page}")).headers["location"].startswith("/login")


async def test_settings_are_the_owners(viewer: Client) -> None:
    assert (await viewer.get(f"/{SITE}/settings")).status_code == 403
    assert (await viewer.post(f"/{SITE}/settings", data={"form": "privacy"})).status_code == 403
    assert (await viewer.get("/sites/new")).status_code == 403
    assert "/settings" not in (await viewer.get(f"/{SITE}")).text


async def test_somebody_unknown_does_not_learn_which_sites_exist(
    stranger: Client, peopled: SqliteCatalog
) -> None:
    for name in (SITE, "nowhere.example"):
        assert (await stranger.get(f"/{name}")).headers["location"].startswith("/login")


async def test_every_page_carries_the_headers_that_protect_it(owner: Client) -> None:
    for path in ("/", f"/{SITE}", f"/{SITE}/settings", "/login", "/nowhere.example"):
        headers = (await owner.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_a_wrong_address_is_explained_on_a_page(owner: Client) -> None:
    answer = await owner.get(f"/{SITE}?period=fortnight")
    assert answer.status_code == 400
    assert "Period: &#39;fortnight&#39; is not one of" in answer.text
    assert (await owner.get("/no/such/page")).status_code == 404


class Away:
    """A store that cannot answer."""

    async def query(self, query: Query) -> Result:
        raise StoreUnavailable("connection refused by 10.0.0.3", retry_after=7)


class TestAwayStore:
    @pytest.fixture
    def deps(self, deps: DashboardContext) -> DashboardContext:
        return dataclasses.replace(deps, store=Away())  # type: ignore[arg-type]

    async def test_says_when_to_come_back_and_not_what_broke(self, owner: Client) -> None:
        answer = await owner.get(f"/{SITE}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "7"
        assert "cannot be read right now" in answer.text
        assert "10.0.0.3" not in answer.text


class Slow:
    """A store whose answers take too long."""

    async def query(self, query: Query) -> Result:
        raise QueryTooLong("The answer took longer than 30 s. Ask for a shorter period.")


class TestSlowStore:
    @pytest.fixture
    def deps(self, deps: DashboardContext) -> DashboardContext:
        return dataclasses.replace(deps, store=Slow())  # type: ignore[arg-type]

    async def test_tells_the_reader_the_way_out(self, owner: Client) -> None:
        answer = await owner.get(f"/{SITE}")
        assert answer.status_code == 503
        assert "Ask for a shorter period." in answer.text


class TestBrokenStore:
    @pytest.fixture
    def deps(self, deps: DashboardContext) -> DashboardContext:
        return dataclasses.replace(deps, store=None)  # type: ignore[arg-type]

    async def test_a_fault_of_ours_is_a_page_too(self, owner: Client) -> None:
        answer = await owner.get(f"/{SITE}")
        assert answer.status_code == 500
        assert "Something went wrong on this server" in answer.text
        assert "NoneType" not in answer.text
