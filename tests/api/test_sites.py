"""The Sites API: sites, goals, properties, shared links and guests by a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from tests.dashboard.world import NOW, OWNER, VIEWER

from analytics import problem
from analytics.api.sites.access import SitesContext
from analytics.api.sites.routes import routes
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import AnalyticsError
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

GOALS = "/api/v1/sites/goals"
PROPS = "/api/v1/sites/custom-props"
LINKS = "/api/v1/sites/shared-links"
GUESTS = "/api/v1/sites/guests"


async def _settled() -> None:
    return


async def refused(_: Request, error: Exception) -> Response:
    return Response(problem.encode(error), problem.status(error))


@pytest.fixture
def context(store: DuckDBStore, peopled: SqliteCatalog) -> SitesContext:
    return SitesContext(
        catalog=peopled,
        rows=store,
        first_event=store.first_event,
        clock=lambda: NOW,
        settle=_settled,
        origin=lambda _: "https://stats.example.com",
    )


@pytest.fixture
async def api(context: SitesContext) -> AsyncIterator[httpx2.AsyncClient]:
    _, secret = await context.catalog.keys.create(scopes=["sites:write"], site=None, label="ops")
    async with client(context, secret) as api:
        yield api


def client(context: SitesContext, secret: str) -> httpx2.AsyncClient:
    app = Starlette(routes=routes(context), exception_handlers={AnalyticsError: refused})
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


async def get(api: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    reply = await api.get(path, params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def put(api: httpx2.AsyncClient, path: str, **members: Any) -> Any:
    reply = await api.put(path, json={"site_id": SITE, **members})
    assert reply.status_code == 200, reply.text
    return reply.json()


class TestSites:
    async def test_sites_are_listed_added_shown_and_changed(self, api: httpx2.AsyncClient) -> None:
        added = await api.post("/api/v1/sites", json={"domain": "www.new.example"})
        assert added.json() == {
            "domain": "new.example",
            "timezone": "Etc/UTC",
            "custom_properties": [],
        }
        again = await api.post("/api/v1/sites", data={"domain": "new.example"})
        assert (again.status_code, again.json()["code"]) == (409, "conflict")
        zone = {"timezone": "Asia/Tehran", "domain": "new.example"}
        changed = await api.put("/api/v1/sites/new.example", json=zone)
        assert changed.json()["timezone"] == "Asia/Tehran"
        assert await get(api, "/api/v1/sites/new.example") == changed.json()
        every = await get(api, "/api/v1/sites")
        domains = [site["domain"] for site in every["sites"]]
        assert domains == ["new.example", "other.example", SITE]
        assert every["meta"] == {"after": None, "before": None, "limit": 100}

    async def test_a_domain_is_not_changed(self, api: httpx2.AsyncClient) -> None:
        refusal = await api.put(f"/api/v1/sites/{SITE}", json={"domain": "new.example"})
        assert refusal.status_code == 409
        assert "its events are stored under that name" in refusal.json()["error"]

    async def test_a_removal_erases_and_says_what_it_destroyed(
        self, api: httpx2.AsyncClient, context: SitesContext, store: DuckDBStore
    ) -> None:
        await store.write(batch([hit(NOW), hit(NOW + 1)]))
        await context.catalog.keys.create(scopes=["stats:read"], site=SITE, label="")
        gone = await api.delete(f"/api/v1/sites/{SITE}")
        assert gone.json() == {
            "deleted": True,
            "events_deleted": 2,
            "keys_revoked": 1,
            "viewers_withdrawn": 1,
        }
        assert (await api.get(f"/api/v1/sites/{SITE}")).status_code == 404
        assert await store.count_rows(SITE) == 0

    async def test_it_is_written_down_who_did_it(
        self, api: httpx2.AsyncClient, context: SitesContext
    ) -> None:
        await put(api, GOALS, goal_type="event", event_name="signup")
        (entry,) = await context.catalog.audit_log.recent(1)
        assert (entry.who, entry.site, entry.about) == ("the key ops", SITE, "goals")


class TestKeys:
    @pytest.mark.parametrize(
        ("scopes", "site", "status"),
        [
            ([], None, 401),
            (["stats:read"], None, 403),
            (["sites:write"], "other.example", 403),
            (["sites:write"], SITE, 200),
        ],
    )
    async def test_a_key_reaches_as_far_as_it_says(
        self, context: SitesContext, scopes: list[Any], site: str | None, status: int
    ) -> None:
        keys = context.catalog.keys
        secret = (await keys.create(scopes=scopes, site=site, label=""))[1] if scopes else ""
        async with client(context, secret) as api:
            for path in (GOALS, PROPS, LINKS, GUESTS):
                assert (await api.get(path, params={"site_id": SITE})).status_code == status, path
            assert (await api.get(f"/api/v1/sites/{SITE}")).status_code == status
            body = {"site_id": SITE, "goal_type": "event", "event_name": "a"}
            assert (await api.put(GOALS, json=body)).status_code == status

    async def test_a_key_of_one_site_adds_none_and_sees_no_other(
        self, context: SitesContext
    ) -> None:
        _, secret = await context.catalog.keys.create(scopes=["sites:write"], site=SITE, label="")
        async with client(context, secret) as api:
            added = await api.post("/api/v1/sites", json={"domain": "new.example"})
            assert added.status_code == 403
            assert [each["domain"] for each in (await get(api, "/api/v1/sites"))["sites"]] == [SITE]
            assert (await get(api, GOALS))["goals"] == []  # the site goes without saying
            answers = [await api.get(f"/api/v1/sites/{name}") for name in ("other.example", "x.y")]
            assert [answer.json()["error"] for answer in answers] == [
                f"this key is for {SITE} only"
            ] * 2


class TestGoals:
    async def test_a_goal_is_made_found_and_removed(self, api: httpx2.AsyncClient) -> None:
        made = await put(api, GOALS, goal_type="event", event_name="signup")
        assert made == {
            "domain": SITE,
            "id": "1",
            "goal_type": "event",
            "display_name": "signup",
            "event_name": "signup",
            "page_path": None,
            "scroll_threshold": None,
            "currency": None,
            "custom_props": {},
        }
        assert await put(api, GOALS, goal_type="event", event_name="signup") == made
        page = await put(api, GOALS, goal_type="page", page_path="/blog*", scroll_threshold=50)
        assert page["display_name"] == "Scroll 50% on /blog*"
        listed = await get(api, GOALS, site_id=SITE)
        assert [{**goal, "domain": SITE} for goal in listed["goals"]] == [made, page]
        gone = await api.request("DELETE", f"{GOALS}/1", json={"site_id": SITE})
        assert gone.json() == {"deleted": True}
        missing = await api.delete(f"{GOALS}/1", params={"site_id": SITE})
        assert missing.status_code == 404

    async def test_a_goal_found_by_what_it_looks_for_keeps_its_name(
        self, api: httpx2.AsyncClient
    ) -> None:
        named = await put(api, GOALS, goal_type="page", page_path="/thanks", display_name="Bought")
        assert await put(api, GOALS, goal_type="page", page_path="/thanks") == named

    async def test_a_form_does_as_well(self, api: httpx2.AsyncClient) -> None:
        fields = {
            "site_id": SITE,
            "goal_type": "event",
            "event_name": "buy",
            "currency": "EUR",
            "custom_props[plan]": "pro",
        }
        made = (await api.put(GOALS, data=fields)).json()
        assert (made["custom_props"], made["currency"]) == ({"plan": "pro"}, "EUR")

    @pytest.mark.parametrize(
        ("members", "field"),
        [
            ({"goal_type": "click"}, "goal_type"),
            ({"goal_type": "event"}, "event_name"),
            ({"goal_type": "page"}, "page_path"),
            ({"goal_type": "page", "page_path": "thanks"}, "page_path"),
            ({"goal_type": "page", "page_path": "/a", "scroll_threshold": 101}, "scroll_threshold"),
            ({"goal_type": "page", "page_path": "/a", "currency": "EUR"}, "currency"),
            ({"goal_type": "event", "event_name": "a", "custom_props": {"b": 1}}, "custom_props"),
            ({"goal_type": "event", "event_name": "a", "colour": "red"}, "colour"),
            ({"goal_type": "event", "event_name": "a", "site_id": ""}, "site_id"),
        ],
    )
    async def test_what_is_wrong_is_named(
        self, api: httpx2.AsyncClient, members: dict[str, Any], field: str
    ) -> None:
        reply = await api.put(GOALS, json={"site_id": SITE, **members})
        assert (reply.status_code, reply.json()["field"].partition("[")[0]) == (400, field)

    async def test_lists_come_in_pages_both_ways(self, api: httpx2.AsyncClient) -> None:
        for n in range(5):
            await put(api, GOALS, goal_type="event", event_name=f"e{n}")

        async def page(**params: Any) -> tuple[list[str], Any]:
            listed = await get(api, GOALS, site_id=SITE, limit=2, **params)
            return [goal["event_name"] for goal in listed["goals"]], listed["meta"]

        first, meta = await page()
        assert (first, meta["before"]) == (["e0", "e1"], None)
        second, meta = await page(after=meta["after"])
        assert second == ["e2", "e3"]
        assert (await page(before=meta["before"]))[0] == first
        third, meta = await page(after=meta["after"])
        assert (third, meta["after"]) == (["e4"], None)
        for wrong in ({"limit": 0}, {"after": "é"}, {"after": "YQ", "before": "YQ"}):
            reply = await api.get(GOALS, params={"site_id": SITE, **wrong})
            assert reply.status_code == 400, wrong


class TestProperties:
    async def test_properties_are_offered_and_withdrawn(self, api: httpx2.AsyncClient) -> None:
        for name in ("title", "author/name", "title"):
            assert await put(api, PROPS, property=name) == {"created": True}
        listed = await get(api, PROPS, site_id=SITE)
        assert listed == {"custom_properties": [{"property": "author/name"}, {"property": "title"}]}
        gone = await api.delete(f"{PROPS}/author%2Fname", params={"site_id": SITE})
        assert gone.json() == {"deleted": True}
        assert (await get(api, f"/api/v1/sites/{SITE}"))["custom_properties"] == ["title"]


class TestSharedLinks:
    async def test_a_link_is_shown_once_and_renewed(self, api: httpx2.AsyncClient) -> None:
        made = await put(api, LINKS, name="Client")
        assert made["url"].startswith(f"https://stats.example.com/share/{SITE}?auth=")
        again = await put(api, LINKS, name="Client")
        assert (again["id"], again["url"]) == (made["id"], None)
        assert "renew" in again["hint"]
        renewed = await put(api, LINKS, name="Client", renew=True)
        assert renewed["url"] not in (None, made["url"])
        listed = await get(api, LINKS, site_id=SITE)
        assert [link["name"] for link in listed["shared_links"]] == ["Client"]
        gone = await api.delete(f"{LINKS}/{renewed['id']}", params={"site_id": SITE})
        assert gone.json() == {"deleted": True}

    async def test_no_secret_is_kept(self, api: httpx2.AsyncClient, context: SitesContext) -> None:
        made = await put(api, LINKS, name="Client", password="correct horse battery")
        site = context.catalog.sites.get(SITE)
        secret = made["url"].rpartition("=")[2]
        assert secret not in str(site)
        assert "correct horse" not in str(site)
        entries = await context.catalog.audit_log.recent(9)
        assert secret not in str(entries)
        assert made["has_password"] is True


class TestGuests:
    async def test_a_new_guest_gets_a_first_password_once(
        self, api: httpx2.AsyncClient, context: SitesContext
    ) -> None:
        made = await put(api, GUESTS, email="New@Shop.example", role="viewer")
        password = made.pop("first_password")
        assert made == {"email": "new@shop.example", "role": "viewer", "status": "invited"}
        await context.catalog.people.check("new@shop.example", password)
        assert await put(api, GUESTS, email="new@shop.example") == made
        listed = await get(api, GUESTS, site_id=SITE)
        assert [guest["email"] for guest in listed["guests"]] == ["new@shop.example", VIEWER]
        gone = await api.delete(f"{GUESTS}/new@shop.example", params={"site_id": SITE})
        assert gone.json() == {"deleted": True}

    async def test_somebody_with_an_account_keeps_it(
        self, api: httpx2.AsyncClient, context: SitesContext
    ) -> None:
        body = {"site_id": "other.example", "email": VIEWER}
        assert (await api.put(GUESTS, json=body)).json() == {
            "email": VIEWER,
            "role": "viewer",
            "status": "accepted",
        }
        everybody = {person.email: person for person in await context.catalog.people.all()}
        assert everybody[VIEWER].sites == (SITE, "other.example")

    @pytest.mark.parametrize(("email", "status"), [(OWNER, 409), ("nobody@shop.example", 404)])
    async def test_owners_and_strangers_are_not_removed(
        self, api: httpx2.AsyncClient, email: str, status: int
    ) -> None:
        reply = await api.delete(f"{GUESTS}/{email}", params={"site_id": SITE})
        assert reply.status_code == status

    async def test_an_editor_is_refused_with_the_way_out(self, api: httpx2.AsyncClient) -> None:
        body = {"site_id": SITE, "email": "a@b.example", "role": "editor"}
        reply = await api.put(GUESTS, json=body)
        assert (reply.status_code, reply.json()["field"]) == (400, "role")


@pytest.mark.parametrize("path", [GOALS, PROPS, LINKS, GUESTS])
async def test_a_resource_whose_id_was_forgotten_is_not_taken_for_a_site(
    api: httpx2.AsyncClient, path: str
) -> None:
    reply = await api.delete(path, params={"site_id": SITE})
    assert reply.status_code == 405
    assert "DELETE" not in reply.headers["allow"]


async def test_the_site_may_stand_in_the_query_string_of_a_change(api: httpx2.AsyncClient) -> None:
    body = {"email": "new@example.com", "role": "viewer"}
    reply = await api.put(GUESTS, params={"site_id": SITE}, json=body)
    assert (reply.status_code, reply.json()["status"]) == (200, "invited")
    named = {"site_id": "other.example", "goal_type": "event", "event_name": "Signup"}
    found = await api.put(GOALS, params={"site_id": SITE}, json=named)
    assert found.json()["domain"] == "other.example"
