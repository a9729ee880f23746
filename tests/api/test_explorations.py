"""Funnels, journeys, retention and sequences, as the Stats API is asked for them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.test_stats_v2 import api, unasked, waiting
from tests.dashboard.world import berlin

from analytics.catalog import goals
from analytics.catalog.sqlite import SqliteCatalog
from analytics.goal import Goal
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch
from analytics.visitor_id import COOKIELESS

__all__ = ["api", "unasked", "waiting"]

DAY = "2026-11-23"
MORNING = berlin(f"{DAY} 09:00")
NEXT_DAY_AT_NIGHT = berlin("2026-11-24 01:00")
HOME = ["is", "event:page", ["/"]]
PRICING = ["is", "event:page", ["/pricing"]]
SIGNUP = ["is", "event:goal", ["Signup"]]


@pytest.fixture
async def visited(store: DuckDBStore, peopled: SqliteCatalog) -> None:
    """1 signs up after 40 seconds, 2 looks at the prices and at home, a stranger only at home."""
    hits = [
        hit(MORNING, visitor=1, path="/"),
        hit(MORNING + 30_000, visitor=1, path="/pricing"),
        hit(MORNING + 40_000, visitor=1, path="/pricing", name="Signup"),
        hit(MORNING + 50_000, visitor=1, path="/welcome"),
        hit(MORNING, visitor=2, path="/pricing"),
        hit(MORNING + 1_000, visitor=2, path="/"),
        hit(MORNING + 1_000, visitor=COOKIELESS + 3, path="/"),
        hit(NEXT_DAY_AT_NIGHT, visitor=2, path="/pricing"),
    ]
    hits.sort(key=lambda each: each.ts)
    await store.write(batch(hits))
    await goals.add_goal(peopled, SITE, Goal(id=0, name="", event="Signup"))


async def ask(api: httpx2.AsyncClient, path: str, **members: Any) -> Any:
    body = {"site_id": SITE, "date_range": [DAY, DAY], **members}
    reply = await api.post(f"/api/v2/{path}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.usefixtures("visited")
async def test_a_funnel_by_visit(api: httpx2.AsyncClient) -> None:
    answer = await ask(api, "funnel", steps=[HOME, PRICING, SIGNUP])
    first, second, third = answer["results"]
    assert first == {
        "step": 1,
        "visits": 3,
        "without_cookie": 1,
        "rate": 100.0,
        "rate_of_step": None,
        "time": None,
    }
    assert (second["visits"], second["rate"], second["rate_of_step"]) == (1, 33.33, 33.33)
    assert second["time"] == {"average": 30, "classes": [{"from": 30, "below": 60, "count": 1}]}
    assert (third["visits"], third["rate_of_step"]) == (1, 100.0)
    assert answer["time_to_convert"]["average"] == 40
    assert answer["query"] == {
        "site_id": SITE,
        "date_range": ["2026-11-23T00:00:00+01:00", "2026-11-23T23:59:59+01:00"],
    }


@pytest.mark.usefixtures("visited")
async def test_a_funnel_by_visitor_spans_days(api: httpx2.AsyncClient) -> None:
    days = [DAY, "2026-11-24"]
    by_visitor = await ask(api, "funnel", steps=[HOME, PRICING], within_days=2, date_range=days)
    assert [step["visitors"] for step in by_visitor["results"]] == [3, 2]
    by_visit = await ask(api, "funnel", steps=[HOME, PRICING], date_range=days)
    assert [step["visits"] for step in by_visit["results"]] == [3, 1]
    strict = await ask(api, "funnel", steps=[HOME, SIGNUP], order="strict")
    assert [step["visits"] for step in strict["results"]] == [3, 0]


@pytest.mark.usefixtures("visited")
async def test_a_journey(api: httpx2.AsyncClient) -> None:
    def page(name: str) -> dict[str, str]:
        return {"kind": "page", "name": name}

    signup = {"kind": "event", "name": "Signup"}
    answer = await ask(api, "journey", start=PRICING, levels=2, stops="pages_and_events")
    assert answer["results"] == [
        {"level": 0, "stops": [{**page("/pricing"), "visits": 2}], "passages": []},
        {
            "level": 1,
            "stops": [{**signup, "visits": 1}, {**page("/"), "visits": 1}],
            "passages": [
                {"from": page("/pricing"), "to": signup, "visits": 1},
                {"from": page("/pricing"), "to": page("/"), "visits": 1},
            ],
        },
        {
            "level": 2,
            "stops": [{**page("/welcome"), "visits": 1}],
            "passages": [{"from": signup, "to": page("/welcome"), "visits": 1}],
        },
    ]
    back = await ask(api, "journey", start=SIGNUP, direction="backward", levels=1)
    assert back["results"][1]["stops"] == [{**page("/pricing"), "visits": 1}]


@pytest.mark.usefixtures("visited")
async def test_retention(api: httpx2.AsyncClient) -> None:
    answer = await ask(api, "retention", unit="day", date_range=[DAY, "2026-11-24"])
    assert answer["results"] == [
        {"cohort": DAY, "visitors": [2, 1], "rates": [100.0, 50.0]},
        {"cohort": "2026-11-24", "visitors": [0], "rates": [None]},
    ]
    assert answer["visitors_without_cookie"] == 1


@pytest.mark.usefixtures("visited")
async def test_a_sequence_chooses_visits_or_the_event_right_after(api: httpx2.AsyncClient) -> None:
    sequence = ["sequence", [HOME, ["or", [PRICING, ["is", "event:page", ["/none"]]]]]]

    async def rows(*filters: Any, **members: Any) -> Any:
        asked = {"metrics": ["visitors", "events"], "filters": filters, **members}
        return (await ask(api, "query", **asked))["results"]

    assert await rows(sequence) == [{"dimensions": [], "metrics": [1, 4]}]
    assert await rows(sequence, dimensions=["event:name"]) == [
        {"dimensions": ["Signup"], "metrics": [1, 1]}
    ]
    by_page = await rows(sequence, HOME, dimensions=["event:page"])
    assert by_page == [{"dimensions": ["/"], "metrics": [1, 1]}]
    assert await rows(["not", sequence]) == [{"dimensions": [], "metrics": [2, 3]}]
    with_goal = ["sequence", [SIGNUP, ["is", "event:page", ["/welcome"]]]]
    assert await rows(with_goal) == [{"dimensions": [], "metrics": [1, 4]}]


@pytest.mark.parametrize(
    ("path", "members", "field"),
    [
        ("funnel", {}, "steps"),
        ("funnel", {"steps": [HOME]}, "steps"),
        ("funnel", {"steps": [HOME, ["is", "event:pages", ["/"]]]}, "steps[1][1]"),
        ("funnel", {"steps": [HOME, PRICING], "order": "any"}, "order"),
        ("funnel", {"steps": [HOME, PRICING], "within_days": 0}, "within_days"),
        ("funnel", {"steps": [HOME, PRICING], "metrics": ["visits"]}, "metrics"),
        ("funnel", {"steps": [HOME, ["is", "visit:bot_name", ["x"]]]}, "include.bots"),
        ("funnel", {"steps": [HOME, ["sequence", []]]}, "steps[1]"),
        ("journey", {}, "start"),
        ("journey", {"start": HOME, "levels": 11}, "levels"),
        ("journey", {"start": HOME, "limit": 0}, "limit"),
        ("retention", {"unit": "hour"}, "unit"),
        ("retention", {"date_range": "nonsense"}, "date_range"),
        ("retention", {"unit": "day", "date_range": "12mo"}, "date_range"),
    ],
)
async def test_the_member_that_is_wrong_is_named(
    unasked: httpx2.AsyncClient, path: str, members: dict[str, Any], field: str
) -> None:
    body = {"site_id": SITE, "date_range": "7d", **members}
    reply = await unasked.post(f"/api/v2/{path}", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


async def test_without_a_key_nobody_is_answered(api: httpx2.AsyncClient) -> None:
    for path in ("funnel", "journey", "retention"):
        reply = await api.post(f"/api/v2/{path}", json={}, headers={"Authorization": ""})
        assert reply.status_code == 401
