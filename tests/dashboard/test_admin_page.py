"""The owner sees how the servers behind this one are, and what it answers for."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, VIEWER

from analytics.background import LoopState
from analytics.breaker import Breaker, BreakerLimits
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext
from analytics.errors import StoreUnavailable
from analytics.gateway.route_table import RouteLine

TABLE = [
    RouteLine("/api/event", "POST", "ingest", served=True),
    RouteLine("/api/ledger", "GET", "admin", served=True),
    RouteLine("/admin", "GET", "admin", served=True),
    RouteLine("/{domain}", "GET", "dashboard", served=False),
]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> list[Breaker]:
    limits = BreakerLimits(in_a_row=1)
    return [
        Breaker("kafka", "Hits are spooled.", limits, clock=clock),
        Breaker("geo", "No places.", limits, clock=clock),
    ]


@pytest.fixture
def retention() -> LoopState:
    return LoopState("retention", meanwhile="Some rows are kept for too long.")


@pytest.fixture
def deps(deps: DashboardContext, breakers: list[Breaker], retention: LoopState) -> DashboardContext:
    return dataclasses.replace(deps, breakers=breakers, loops=[retention], table=lambda: TABLE)


async def test_a_backend_that_is_away_is_shown_with_what_is_answered_meanwhile(
    owner: Client, breakers: list[Breaker], clock: Clock
) -> None:
    kafka = breakers[0]
    for _ in range(2):
        if call := kafka.begin():
            call.failed("<10.0.0.7> refused")
    clock.now += 125
    text = (await owner.get("/admin")).text
    assert 'Left alone</span> <span class="soft">for 2m 05s' in text
    assert "1 call, 1 failed, 1 not made" in text
    assert "Hits are spooled." in text
    assert "&lt;10.0.0.7&gt; refused" in text
    assert "When it fails:</span> No places." in text


async def test_background_work_that_fails_is_shown_with_what_is_missing_meanwhile(
    owner: Client, retention: LoopState
) -> None:
    assert "All of it works" in (await owner.get("/admin")).text
    for _ in range(3):
        retention.failed(StoreUnavailable("<Kafka> is away"))
    text = (await owner.get("/admin")).text
    assert "3 times in a row" in text
    assert "Some rows are kept for too long." in text
    assert "&lt;Kafka&gt; is away" in text
    retention.succeeded()
    assert "All of it works" in (await owner.get("/admin")).text


async def test_the_routes_are_shown_by_module(owner: Client) -> None:
    text = (await owner.get("/admin")).text
    assert text.count('<details class="module"') == 3
    assert "/{domain}" in text
    assert text.count("Other servers") == 1
    assert "2 paths" in text


async def test_it_is_for_the_owner_only(owner: Client, viewer: Client, stranger: Client) -> None:
    assert (await owner.get("/admin")).status_code == 200
    assert (await viewer.get("/admin")).status_code == 403
    assert (await stranger.get("/admin")).headers["location"] == "/login?next=%2Fadmin"
    assert ">Server</a>" in (await owner.get("/")).text
    assert ">Server</a>" not in (await viewer.get("/")).text


async def test_alone_it_depends_on_nobody(owner: Client, breakers: list[Breaker]) -> None:
    breakers.clear()
    assert (
        "everything is stored in this server’s own data folder" in (await owner.get("/admin")).text
    )


async def test_keys_of_all_sites_are_made_and_revoked_here(
    owner: Client, peopled: SqliteCatalog
) -> None:
    made = await owner.post("/admin", data={"form": "key", "label": "All", "scope": "stats:read"})
    assert (made.status_code, made.headers["location"]) == (303, "/admin#keys")
    (key,) = await peopled.keys.all()
    assert key.site is None
    page = (await owner.get("/admin")).text
    assert "cannot be shown again" in page
    assert "cannot be shown again" not in (await owner.get("/admin")).text
    asked = await owner.post("/admin", data={"form": "revoke", "key": key.id})
    question = unescape((await owner.get(asked.headers["location"])).text)
    assert "all sites: stats:read" in question
    assert len(await peopled.keys.all()) == 1
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', question))
    await owner.post("/admin", data=fields)
    assert await peopled.keys.all() == ()


async def test_roles_change_and_somebody_always_owns_the_server(
    owner: Client, peopled: SqliteCatalog
) -> None:
    role = {"form": "role", "email": VIEWER}
    await owner.post("/admin", data={**role, "role": "owner"})
    assert {p.email: p.owner for p in await peopled.people.all()} == {OWNER: True, VIEWER: True}
    await owner.post("/admin", data={**role, "role": "viewer"})
    assert {p.email: p.owner for p in await peopled.people.all()} == {OWNER: True, VIEWER: False}
    unknown = await owner.post("/admin", data={**role, "role": "emperor"})
    assert unknown.status_code == 400
    assert "emperor" in unknown.text
    mine = await owner.post("/admin", data={"form": "role", "email": OWNER, "role": "viewer"})
    assert mine.status_code == 400


async def test_only_owners_change_anything_here(viewer: Client, stranger: Client) -> None:
    form = {"form": "role", "email": VIEWER, "role": "owner"}
    assert (await viewer.post("/admin", data=form)).status_code == 403
    assert (await viewer.get("/admin/confirm?form=revoke&key=1")).status_code == 403
    assert (await stranger.post("/admin", data=form)).headers["location"].startswith("/login")
