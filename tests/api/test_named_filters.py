"""Goals and segments in the Stats API: what their names stand for, and the rates."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from msgspec import structs
from tests.api.test_stats_v2 import api, waiting
from tests.dashboard.world import NOW, berlin

from analytics.catalog import goals
from analytics.catalog.sqlite import SqliteCatalog
from analytics.goal import Goal, Segment
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

__all__ = ["api", "waiting"]

DAY = "2026-11-23"
MORNING = berlin(f"{DAY} 09:00")
SIGNUP = Goal(id=0, name="", event="Signup")
BLOG = Goal(id=0, name="", page="/blog*")
UKU = Goal(id=0, name="Uku's", page="/blog*", properties=(("author", "Uku"),))
DEEP = Goal(id=0, name="", page="/blog/1", scroll=75)


@pytest.fixture
async def visited(store: DuckDBStore, peopled: SqliteCatalog) -> SqliteCatalog:
    """Four visitors: 1 and 2 read the blog, 2 twice and to its end, 3 signs up, 4 looks in."""
    hits = [
        hit(MORNING, visitor=1, path="/blog/1", props={"author": "Uku"}),
        hit(MORNING + 1_000, visitor=2, path="/blog/1"),
        hit(MORNING + 2_000, visitor=2, path="/blog/2"),
        hit(MORNING + 3_000, visitor=2, path="/blog/1", name="engagement", scroll_depth=80),
        hit(MORNING, visitor=3, path="/"),
        hit(MORNING + 1_000, visitor=3, path="/join", name="Signup"),
        hit(MORNING + 2_000, visitor=3, path="/join", name="Signup"),
        hit(MORNING, visitor=4, path="/"),
    ]
    await store.write(batch(hits))
    for goal in (SIGNUP, BLOG, UKU, DEEP):
        await goals.add_goal(peopled, SITE, goal)
    return peopled


async def ask(api: httpx2.AsyncClient, **members: Any) -> Any:
    body = {"site_id": SITE, "date_range": [DAY, DAY], "metrics": ["visitors"], **members}
    return (await api.post("/api/v2/query", content=json.dumps(body))).json()


async def rows(api: httpx2.AsyncClient, **members: Any) -> dict[tuple[str, ...], list[Any]]:
    answer = await ask(api, **members)
    return {tuple(row["dimensions"]): row["metrics"] for row in answer["results"]}


@pytest.mark.usefixtures("visited")
class TestGoals:
    async def test_by_goal(self, api: httpx2.AsyncClient) -> None:
        metrics = ["visitors", "events", "conversions", "conversion_rate"]
        assert await rows(api, dimensions=["event:goal"], metrics=metrics) == {
            ("Visit /blog*",): [2, 3, 3, 50.0],
            ("Signup",): [1, 2, 2, 25.0],
            ("Uku's",): [1, 1, 1, 25.0],
            ("Scroll 75% on /blog/1",): [1, 1, 1, 25.0],
        }

    async def test_filtered_by_goal(self, api: httpx2.AsyncClient) -> None:
        metrics = ["visitors", "conversions", "conversion_rate"]
        assert await rows(api, filters=[["is", "event:goal", ["Signup"]]], metrics=metrics) == {
            (): [1, 2, 25.0]
        }
        assert await rows(
            api, filters=[["is", "event:goal", ["Signup", "Visit /blog*"]]], metrics=metrics
        ) == {(): [3, 5, 75.0]}
        assert await rows(
            api, filters=[["contains", "event:goal", ["visit"], {"case_sensitive": False}]]
        ) == {(): [2]}

    async def test_a_goal_in_a_filter_leaves_out_the_others(self, api: httpx2.AsyncClient) -> None:
        answer = await rows(
            api, filters=[["is", "event:goal", ["Visit /blog*"]]], dimensions=["event:goal"]
        )
        assert answer == {("Visit /blog*",): [2]}

    async def test_rates_of_all_visitors_and_of_the_rows(self, api: httpx2.AsyncClient) -> None:
        assert await rows(
            api,
            filters=[["is", "event:goal", ["Visit /blog*"]]],
            dimensions=["event:page"],
            metrics=["visitors", "conversion_rate", "group_conversion_rate"],
        ) == {("/blog/1",): [2, 50.0, 100.0], ("/blog/2",): [1, 25.0, 100.0]}
        assert await rows(
            api,
            filters=[["is", "event:goal", ["Signup"]]],
            dimensions=["time:day"],
            metrics=["conversion_rate", "group_conversion_rate"],
        ) == {(DAY,): [25.0, 25.0]}

    async def test_properties_do_not_narrow_whom_a_rate_is_of(
        self, api: httpx2.AsyncClient
    ) -> None:
        assert await rows(
            api,
            filters=[
                ["is", "event:goal", ["Visit /blog*"]],
                ["is", "event:props:author", ["Uku"]],
            ],
            metrics=["visitors", "conversion_rate"],
        ) == {(): [1, 25.0]}

    async def test_has_done_a_goal(self, api: httpx2.AsyncClient) -> None:
        filters = [["has_done", ["is", "event:goal", ["Signup"]]]]
        assert await rows(api, filters=filters, dimensions=["event:page"]) == {
            ("/",): [1],
            ("/join",): [1],
        }

    async def test_a_rate_needs_a_goal(self, api: httpx2.AsyncClient) -> None:
        for metric in ("conversion_rate", "group_conversion_rate", "conversions"):
            answer = await ask(api, metrics=[metric])
            assert answer["field"] == "metrics"
            assert "event:goal" in answer["reason"]

    async def test_an_unknown_goal_is_refused_with_those_that_there_are(
        self, api: httpx2.AsyncClient
    ) -> None:
        answer = await ask(api, filters=[["is", "event:goal", ["Sign up"]]])
        assert answer["field"] == "filters"
        assert "did you mean Signup?" in answer["reason"]

    async def test_a_removed_goal_is_gone(
        self, api: httpx2.AsyncClient, visited: SqliteCatalog
    ) -> None:
        site = visited.sites.get(SITE)
        assert site is not None
        signup = next(goal for goal in site.goals if goal.name == "Signup")
        await goals.remove_goal(visited, SITE, signup.id)
        assert ("Signup",) not in await rows(api, dimensions=["event:goal"])
        again = await goals.add_goal(visited, SITE, SIGNUP)
        assert again.id > signup.id
        assert (await rows(api, dimensions=["event:goal"]))[("Signup",)] == [1]

    async def test_version_1(self, api: httpx2.AsyncClient) -> None:
        answer = await api.get(
            "/api/v1/stats/aggregate",
            params={
                "site_id": SITE,
                "period": "day",
                "date": DAY,
                "metrics": "visitors,conversion_rate",
                "filters": "event:goal==Signup",
            },
        )
        assert answer.json()["results"] == {
            "visitors": {"value": 1},
            "conversion_rate": {"value": 25.0},
        }

    async def test_a_breakdown_of_version_1_has_rates_of_each_row(
        self, api: httpx2.AsyncClient
    ) -> None:
        asked = {
            "site_id": SITE,
            "period": "day",
            "date": DAY,
            "property": "event:page",
            "metrics": "visitors,conversion_rate",
            "filters": "event:goal==Signup|Visit /blog*",
        }
        answer = await api.get("/api/v1/stats/breakdown", params=asked)
        assert answer.json()["results"] == [
            {"page": "/blog/1", "visitors": 2, "conversion_rate": 100.0},
            {"page": "/blog/2", "visitors": 1, "conversion_rate": 100.0},
            {"page": "/join", "visitors": 1, "conversion_rate": 100.0},
        ]
        both = {**asked, "metrics": "conversion_rate,group_conversion_rate"}
        (first, *_) = (await api.get("/api/v1/stats/breakdown", params=both)).json()["results"]
        assert (first["conversion_rate"], first["group_conversion_rate"]) == (100.0, 100.0)
        by_author = {**asked, "property": "event:props:author"}
        rows = (await api.get("/api/v1/stats/breakdown", params=by_author)).json()["results"]
        assert {row["author"]: row["conversion_rate"] for row in rows} == {
            "(none)": 50.0,
            "Uku": 25.0,
        }
        by_goal = {**asked, "property": "event:goal"}
        rows = (await api.get("/api/v1/stats/breakdown", params=by_goal)).json()["results"]
        assert {row["goal"]: row["conversion_rate"] for row in rows} == {
            "Signup": 25.0,
            "Visit /blog*": 50.0,
        }


class TestSegments:
    @pytest.fixture
    async def segmented(self, visited: SqliteCatalog) -> SqliteCatalog:
        blog = Segment(id=901, name="Blog", filters='[["contains","event:page",["/blog"]]]')
        own = structs.replace(blog, id=902, name="Mine", owner="owner@shop.example")
        await visited.sites.edit(
            SITE, lambda site: structs.replace(site, segments=(blog, own), last_id=902)
        )
        return visited

    @pytest.mark.usefixtures("segmented")
    async def test_a_shared_segment_filters(self, api: httpx2.AsyncClient) -> None:
        assert await rows(api, filters=[["is", "segment", [901]]]) == {(): [2]}
        assert await rows(api, filters=[["is_not", "segment", [901]]]) == {(): [2]}

    @pytest.mark.usefixtures("segmented")
    @pytest.mark.parametrize(
        ("sent", "understood"),
        [
            (["is", "segment", [901]], ["contains", "event:page", ["/blog"]]),
            (["is_not", "segment", [901]], ["not", ["contains", "event:page", ["/blog"]]]),
            (
                ["not", ["or", [["is", "segment", [901, 903]], ["is", "visit:os", ["Mac"]]]]],
                [
                    "not",
                    [
                        "or",
                        [
                            [
                                "or",
                                [
                                    ["contains", "event:page", ["/blog"]],
                                    [
                                        "and",
                                        [["is", "visit:os", ["Mac"]], ["is", "visit:os", [""]]],
                                    ],
                                ],
                            ],
                            ["is", "visit:os", ["Mac"]],
                        ],
                    ],
                ],
            ),
        ],
    )
    async def test_the_answer_says_what_a_segment_stands_for(
        self,
        api: httpx2.AsyncClient,
        segmented: SqliteCatalog,
        sent: list[Any],
        understood: list[Any],
    ) -> None:
        several = Segment(
            id=903, name="Two", filters='[["is","visit:os",["Mac"]],["is","visit:os",[""]]]'
        )
        await segmented.sites.edit(
            SITE, lambda site: structs.replace(site, segments=(*site.segments, several))
        )
        answer = await ask(api, filters=[sent])
        assert answer["query"]["filters"] == [understood]

    @pytest.mark.parametrize(
        ("filters", "reason"),
        [
            ('[["is","event:goal",["Gone"]]]', "there is no goal 'Gone'"),
            ('[["not",["is","time:day",["2026-11-23"]]]]', "time:day cannot be filtered by"),
            ('[["is","visit:nonsense",["x"]]]', "there is no dimension 'visit:nonsense'"),
        ],
    )
    async def test_a_broken_segment_is_named(
        self, api: httpx2.AsyncClient, segmented: SqliteCatalog, filters: str, reason: str
    ) -> None:
        broken = Segment(id=912, name="Buyers", filters=filters)
        await segmented.sites.edit(
            SITE, lambda site: structs.replace(site, segments=(*site.segments, broken))
        )
        answer = await ask(api, filters=[["is", "segment", [912]]])
        assert answer["field"] == "filters"
        assert f"segment 912 'Buyers': {reason}" in answer["reason"]

    @pytest.mark.parametrize("op", ["is", "is_not"])
    async def test_a_segment_about_machines_needs_the_switch(
        self, api: httpx2.AsyncClient, segmented: SqliteCatalog, op: str
    ) -> None:
        crawlers = Segment(id=905, name="GPT", filters='[["is","visit:bot_name",["GPTBot"]]]')
        await segmented.sites.edit(
            SITE, lambda site: structs.replace(site, segments=(*site.segments, crawlers))
        )
        filters = [[op, "segment", [905]]]
        answer = await ask(api, filters=filters)
        assert answer["field"] == "include.bots"
        assert "visit:bot_name" in answer["reason"]
        assert "results" in await ask(api, filters=filters, include={"bots": True})
        old = {"site_id": SITE, "period": "7d", "filters": json.dumps(filters)}
        reply = await api.get("/api/v1/stats/aggregate", params=old)
        assert reply.json()["field"] == "bots"
        reply = await api.get("/api/v1/stats/aggregate", params={**old, "bots": "true"})
        assert reply.status_code == 200

    @pytest.mark.usefixtures("segmented")
    @pytest.mark.parametrize("number", [902, 904])
    async def test_what_nobody_shares_is_not_there(
        self, api: httpx2.AsyncClient, number: int
    ) -> None:
        answer = await ask(api, filters=[["is", "segment", [number]]])
        assert answer["field"] == "filters"
        assert answer["reason"].endswith(f"there is no segment '{number}'; choose from 901 (Blog)")


def test_the_day_is_a_past_one() -> None:
    assert MORNING < NOW
