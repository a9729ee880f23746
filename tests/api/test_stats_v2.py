"""The Stats API over a real store and a real catalog."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from tests.dashboard.world import NOW, berlin

from analytics.api import query_json, stats_v2
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import AnalyticsError, Malformed
from analytics.exploration import Exploration, ExplorationResult
from analytics.person import Scope
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Query, Result
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch
from analytics.visitor_id import COOKIELESS

Ask = Callable[..., Any]


def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnalyticsError)
    field = getattr(error, "field", None)
    return JSONResponse({"code": error.code, "field": field, "reason": str(error)}, error.status)


class Waiting:
    """Notes the receipts that it is asked to wait for."""

    def __init__(self) -> None:
        self.receipts: list[str] = []

    async def __call__(self, receipt: str) -> None:
        self.receipts.append(receipt)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
async def api(
    store: DuckDBStore, peopled: SqliteCatalog, waiting: Waiting
) -> AsyncIterator[httpx2.AsyncClient]:
    routes = stats_v2.routes(store, peopled, lambda: NOW, waiting)
    app = Starlette(routes=routes, exception_handlers={AnalyticsError: _problem})
    transport = httpx2.ASGITransport(app)
    _, secret = await peopled.keys.create(scopes=[Scope.STATS_READ], site=SITE)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as client:
        yield client


class Unasked:
    """A store that no question may reach."""

    async def query(self, query: Query) -> Result:
        raise AssertionError(f"asked: {query}")

    async def explore(self, asked: Exploration) -> ExplorationResult:
        raise AssertionError(f"asked: {asked}")

    async def first_event(self, site: str) -> int | None:
        raise AssertionError(f"asked for the first event of {site}")


@pytest.fixture
async def unasked(peopled: SqliteCatalog, waiting: Waiting) -> AsyncIterator[httpx2.AsyncClient]:
    """As `api`, over a store that fails the test when it is asked."""
    routes = stats_v2.routes(Unasked(), peopled, lambda: NOW, waiting)
    app = Starlette(routes=routes, exception_handlers={AnalyticsError: _problem})
    _, secret = await peopled.keys.create(scopes=[Scope.STATS_READ], site=SITE)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://localhost",
        headers={"Authorization": f"Bearer {secret}"},
    ) as client:
        yield client


@pytest.fixture
async def visited(store: DuckDBStore) -> None:
    """Two visitors yesterday, one of them by a search; one event now."""
    at = berlin("2026-11-23 10:00")
    hits = [
        hit(at, visitor=1, referrer="google.com", path="/a"),
        hit(at + 60_000, visitor=1, path="/b"),
        hit(at + 90_000, visitor=2, path="/a"),
        hit(NOW - 1000, visitor=3, name="signup", revenue="9.99", currency="EUR"),
    ]
    outcome = fold(list(enumerate(hits)), PipelineState(Sources()), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(hits)))


BODY = {"site_id": SITE, "metrics": ["visitors", "pageviews"], "date_range": "7d"}


async def ask(api: httpx2.AsyncClient, changed: Mapping[str, object]) -> httpx2.Response:
    return await api.post("/api/v2/query", json={**BODY, **changed})


@pytest.mark.usefixtures("visited")
async def test_figures_come_in_the_order_asked(api: httpx2.AsyncClient) -> None:
    reply = await ask(api, {"dimensions": ["visit:source"], "include": {"total_rows": True}})
    assert reply.status_code == 200
    assert reply.json() == {
        "results": [
            {"dimensions": ["Direct / None"], "metrics": [1, 1]},
            {"dimensions": ["Google"], "metrics": [1, 2]},
        ],
        "meta": {"total_rows": 2},
        "query": {
            "site_id": SITE,
            "metrics": ["visitors", "pageviews"],
            "date_range": ["2026-11-17T00:00:00+01:00", "2026-11-23T23:59:59+01:00"],
            "dimensions": ["visit:source"],
            "filters": [],
            "order_by": [["visitors", "desc"]],
            "include": {"time_labels": False, "total_rows": True, "imports": False},
            "pagination": {"limit": 10000, "offset": 0},
        },
    }


async def test_machines_count_where_they_are_asked_for(
    api: httpx2.AsyncClient, store: DuckDBStore
) -> None:
    at = berlin("2026-11-23 10:00")
    await store.write(
        batch(
            [
                hit(at, visitor=1),
                hit(at, visitor=2, bot="crawler", browser="GPTBot"),
                hit(at, visitor=3, bot="crawler", browser="ChatGPT-User"),
            ]
        )
    )
    by_purpose = {"metrics": ["pageviews"], "dimensions": ["visit:bot_purpose"]}
    reply = await ask(api, {**by_purpose, "include": {"bots": True}})
    assert reply.json()["query"]["include"]["bots"] is True
    assert [(row["dimensions"][0], row["metrics"][0]) for row in reply.json()["results"]] == [
        ("People", 1),
        ("Person's question", 1),
        ("Training", 1),
    ]
    openai = ["is", "visit:bot_operator", ["OpenAI"]]
    reply = await ask(api, {"filters": [openai], "include": {"bots": True}})
    assert reply.json()["results"] == [{"dimensions": [], "metrics": [2, 2]}]
    assert (await ask(api, {})).json()["results"] == [{"dimensions": [], "metrics": [1, 1]}]


@pytest.mark.parametrize(
    "asked",
    [
        {"dimensions": ["visit:bot_name"]},
        {"filters": [["is", "visit:bot_operator", ["OpenAI"]]]},
        {"filters": [["not", ["has_done", ["is", "visit:bot_purpose", ["Tool"]]]]]},
        {"dimensions": ["visit:bot_name"], "include": {"bots": False}},
    ],
)
async def test_what_is_asked_of_machines_needs_them_to_count(
    api: httpx2.AsyncClient, asked: Mapping[str, object]
) -> None:
    reply = await ask(api, asked)
    assert (reply.status_code, reply.json()["field"]) == (400, "include.bots")


@pytest.mark.usefixtures("visited")
async def test_filters_lie_in_each_other(api: httpx2.AsyncClient) -> None:
    nested = [
        "and",
        [
            ["is", "event:page", ["/A"], {"case_sensitive": False}],
            ["not", ["is", "visit:source", ["Google"]]],
        ],
    ]
    reply = await ask(api, {"filters": [nested]})
    assert reply.json()["results"] == [{"dimensions": [], "metrics": [1, 1]}]
    assert reply.json()["query"]["filters"] == [nested]


@pytest.mark.usefixtures("visited")
async def test_time_labels_name_the_empty_days_too(api: httpx2.AsyncClient) -> None:
    asked = {"dimensions": ["time:day"], "include": {"time_labels": True}}
    reply = (await ask(api, asked)).json()
    assert reply["results"] == [{"dimensions": ["2026-11-23"], "metrics": [2, 3]}]
    assert reply["meta"]["time_labels"] == [f"2026-11-{day}" for day in range(17, 24)]


@pytest.mark.parametrize("time_labels", [False, True])
async def test_a_series_of_too_many_buckets_is_refused_by_the_bound(
    api: httpx2.AsyncClient, time_labels: bool
) -> None:
    asked = {
        "date_range": ["1996-01-01", "2026-01-01"],
        "dimensions": ["time:hour", "visit:country"],
        "include": {"time_labels": time_labels},
    }
    reply = await ask(api, asked)
    assert reply.status_code == 400
    assert reply.json()["field"] == "date_range"
    assert "10,000 hours" in reply.json()["reason"]


@pytest.mark.usefixtures("visited")
async def test_time_is_hours_within_a_day(api: httpx2.AsyncClient) -> None:
    reply = (await ask(api, {"date_range": "day", "dimensions": ["time"]})).json()
    assert reply["results"] == [{"dimensions": ["2026-11-24 11:00:00"], "metrics": [1, 0]}]
    assert reply["query"]["dimensions"] == ["time:hour"]


@pytest.mark.usefixtures("visited")
async def test_visitor_days_are_called_so(api: httpx2.AsyncClient, store: DuckDBStore) -> None:
    assert (await ask(api, {})).json()["meta"] == {}
    at = berlin("2026-11-20 10:00")
    await store.write(batch([hit(at, visitor=COOKIELESS | 1)], start=4))
    assert (await ask(api, {})).json()["meta"] == {"visitor_days": True}
    assert (await ask(api, {"date_range": "day"})).json()["meta"] == {}


@pytest.mark.usefixtures("visited")
async def test_money_comes_with_its_currency(api: httpx2.AsyncClient) -> None:
    reply = (await ask(api, {"date_range": "day", "metrics": ["total_revenue"]})).json()
    ((money,),) = (row["metrics"] for row in reply["results"])
    assert money == {"value": 9.99, "currency": "EUR", "short": "EUR 10", "long": "EUR 9.99"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"site_id": None}, "site_id"),
        ({"colour": 1}, "colour"),
        ({"metrics": []}, "metrics"),
        ({"metrics": "visitors"}, "metrics"),
        ({"metrics": ["visitors", "hits"]}, "metrics[1]"),
        ({"metrics": ["visits"], "dimensions": ["event:name"]}, "metrics"),
        ({"metrics": ["time_on_page"]}, "metrics"),
        ({"date_range": "9y"}, "date_range"),
        ({"dimensions": ["visit:mood"]}, "dimensions[0]"),
        ({"dimensions": ["event:props:"]}, "dimensions[0]"),
        ({"filters": [["is", "event:page"]]}, "filters[0]"),
        ({"filters": [["is", "event:page", []]]}, "filters[0][2]"),
        ({"filters": [["or", [["is", "event:page", [True]]]]]}, "filters[0][1][0][2][0]"),
        ({"filters": [["is", "event:page", ["/"], {"fuzzy": True}]]}, "filters[0][3].fuzzy"),
        ({"filters": [["is", "time:day", ["2026-01-01"]]]}, "filters"),
        ({"filters": [["matches", "event:page", ["(["]]]}, "filters"),
        ({"order_by": [["visitors", "up"]]}, "order_by[0]"),
        ({"order_by": [["visits", "desc"]]}, "order_by"),
        ({"include": {"weather": True}}, "include.weather"),
        ({"include": {"total_rows": 1}}, "total_rows"),
        ({"pagination": {"limit": 0}}, "pagination.limit"),
        ({"pagination": {"offset": True}}, "pagination.offset"),
    ],
)
async def test_what_is_wrong_is_named(
    api: httpx2.AsyncClient, changed: Mapping[str, object], field: str
) -> None:
    reply = await ask(api, changed)
    assert (reply.status_code, reply.json()["code"], reply.json()["field"]) == (
        400,
        "malformed",
        field,
    )


async def test_filters_that_lie_too_deep_are_refused(api: httpx2.AsyncClient) -> None:
    nested: list[object] = ["is", "event:page", ["/"]]
    for _ in range(50):
        nested = ["not", nested]
    assert (await ask(api, {"filters": [nested]})).status_code == 400
    assert (await api.post("/api/v2/query", content=b"[" * 200_000)).status_code == 400


async def test_a_question_has_its_bounds(api: httpx2.AsyncClient) -> None:
    assert (await api.post("/api/v2/query", content=b" " * 300_000)).status_code == 413


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [*BODY, "filters", "order_by", "include", "pagination", "dimensions"]
                ),
                inner,
                max_size=4,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_body_is_read_or_refused_by_name(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        query_json.parse(body)


async def test_who_has_no_right_key_learns_nothing(
    api: httpx2.AsyncClient, peopled: SqliteCatalog
) -> None:
    async def status(secret: str, site: str = SITE) -> int:
        headers = {"Authorization": secret}
        reply = await api.post("/api/v2/query", json={**BODY, "site_id": site}, headers=headers)
        return reply.status_code

    _, writer = await peopled.keys.create(scopes=[Scope.EVENTS_WRITE], site=SITE)
    _, all_sites = await peopled.keys.create(scopes=[Scope.STATS_READ], site=None)
    mine = api.headers["authorization"]
    assert await status("") == 401
    assert await status("Bearer nonsense") == 401
    assert await status(f"Bearer {writer}") == 403
    assert await status(mine, "other.example") == 403
    assert await status(mine, "unknown.example") == 403
    assert await status(f"Bearer {all_sites}", "other.example") == 200
    assert await status(f"Bearer {all_sites}", "unknown.example") == 404


async def test_a_question_waits_for_a_receipt(api: httpx2.AsyncClient, waiting: Waiting) -> None:
    await api.post("/api/v2/query?wait=0-17", json=BODY)
    assert waiting.receipts == ["0-17"]


@pytest.mark.usefixtures("visited")
async def test_current_visitors_are_those_of_five_minutes(api: httpx2.AsyncClient) -> None:
    reply = await api.get("/api/v1/stats/realtime/visitors", params={"site_id": SITE})
    assert (reply.status_code, reply.json()) == (200, 1)


async def test_a_missing_property_is_none_in_rows_and_in_filters(
    api: httpx2.AsyncClient, store: DuckDBStore
) -> None:
    at = berlin("2026-11-23 11:00")
    plans: list[dict[str, str]] = [{"plan": "pro"}, {"plan": "free"}, {}, {"other": "x"}]
    await store.write(batch([hit(at, visitor=9, name="signup", props=p) for p in plans]))

    async def counted(*filters: object) -> dict[str, int]:
        question = {
            "site_id": SITE, "metrics": ["events"], "date_range": "7d",
            "dimensions": ["event:props:plan"],
            "filters": [["is", "event:name", ["signup"]], *filters],
        }  # fmt: skip
        rows = (await api.post("/api/v2/query", json=question)).json()["results"]
        return {row["dimensions"][0]: row["metrics"][0] for row in rows}

    assert await counted() == {"pro": 1, "free": 1, "(none)": 2}
    assert await counted(["is", "event:props:plan", ["(none)"]]) == {"(none)": 2}
    assert await counted(["is", "event:props:plan", ["(none)", "pro"]]) == {"(none)": 2, "pro": 1}
    assert await counted(["is_not", "event:props:plan", ["(none)"]]) == {"pro": 1, "free": 1}
    old = {
        "site_id": SITE, "period": "7d", "property": "event:props:plan", "metrics": "events",
        "filters": "event:name==signup;event:props:plan==(none)",
    }  # fmt: skip
    reply = await api.get("/api/v1/stats/breakdown", params=old)
    assert reply.json() == {"results": [{"plan": "(none)", "events": 2}]}


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"metrics": ["visitor"]}, "metrics[0]", ["did you mean visitors?", "pageviews", "exits"]),
        ({"metrics": ["conversion"]}, "metrics[0]", ["no metric 'conversion'", "visits"]),
        ({"metrics": "visitors"}, "metrics", ['must be a list: ["visitors"]']),
        ({"dimensions": ["visit:contry"]}, "dimensions[0]", ["visit:country?", "props:<name>"]),
        ({"filters": [["is", "visit:country_names", ["Iran"]]]}, "filters[0][1]",
         ["did you mean visit:country_name?"]),
        ({"dimensions": [["time"]]}, "dimensions[0]", ["choose from time, "]),
        ({"date_range": "7days"}, "date_range", ["no range '7days'", "24h", "7d", "6mo", "all"]),
        ({"limit": 5}, "limit", ["did you mean pagination.limit?"]),
        ({"time_labels": True}, "time_labels", ["did you mean include.time_labels?"]),
        ({"include": {"limit": 5}}, "include.limit", ["did you mean pagination.limit?"]),
        ({"period": "7d"}, "period", ["did you mean date_range?"]),
        ({"metric": []}, "metric", ["did you mean metrics?", "site_id"]),
        ({"filters": [["is_like", "visit:country", ["DE"]]]}, "filters[0][0]",
         ["no operator 'is_like'", "contains_not", "has_not_done"]),
        ({"filters": [["is", "visit:country", "DE"]]}, "filters[0][2]", ['must be a list: ["DE"]']),
        ({"filters": ["is", "visit:country", ["DE"]]}, "filters[0]", ['must be a list: ["is"]']),
        ({"filters": [["is", "visit:country"]]}, "filters[0]", ['must be ["<operator>"']),
        ({"pagination": {"limit": 10_001}}, "pagination.limit", ["from 1 to 10,000"]),
        ({"order_by": [["visitors", "down"]]}, "order_by[0]", ['"asc" or "desc"']),
    ],
)  # fmt: skip
async def test_who_asks_wrongly_is_told_what_may_stand_there(
    api: httpx2.AsyncClient, changed: dict[str, object], field: str, words: list[str]
) -> None:
    reply = await ask(api, changed)
    assert (reply.status_code, reply.json()["field"]) == (400, field)
    for word in words:
        assert word in reply.json()["reason"], reply.json()["reason"]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ([["is", "visit:country", ["DE"]]] * 51, "at most 50 comparisons, and this one has 51"),
        ([["has_done", ["is", "event:name", ["a"]]]] * 6, "at most 5 times has_done"),
        ([["contains", "event:page", ["a"] * 101]], "at most 100 values in all of contains"),
        ([["is", "event:page", ["a"] * 600]] * 2, "at most 1,000 values in all"),
        # Counted before they are read: what is wrong with the last one is not looked at.
        (
            [*[["is", "event:page", ["a"]]] * 5_000, ["like", "event:page", ["a"]]],
            "at most 50 comparisons, and this one has 5,001",
        ),
        ([["or", [["not", ["is", "event:page", ["a", 1.5]]]] * 60]], "and this one has 60"),
        ([["is", "segment", ["x"] * 51]], "at most 50 comparisons, and this one has 51"),
    ],
)
async def test_a_question_that_is_too_large_is_refused_before_it_waits_for_the_store(
    unasked: httpx2.AsyncClient, filters: list[object], said: str
) -> None:
    reply = await ask(unasked, {"filters": filters})
    assert (reply.status_code, reply.json()["field"]) == (400, "filters")
    assert said in reply.json()["reason"]


async def test_a_question_of_version_1_that_is_too_large_is_refused_before_it_waits(
    unasked: httpx2.AsyncClient,
) -> None:
    filters = ";".join(f"event:props:{number}==a" for number in range(51))
    for path in ("aggregate", "timeseries", "breakdown"):
        asked = {"site_id": SITE, "filters": filters, "property": "event:page"}
        reply = await unasked.get(f"/api/v1/stats/{path}", params=asked)
        assert "at most 50 comparisons, and this one has 51" in reply.json()["reason"]


async def test_a_row_of_a_page_tells_of_the_visits_in_which_it_happened_there(
    api: httpx2.AsyncClient, store: DuckDBStore
) -> None:
    at = berlin("2026-11-23 10:00")
    hits = [
        hit(at, visitor=1, path="/"),
        hit(at + 60_000, visitor=1, path="/pricing"),
        hit(at + 120_000, visitor=1, path="/pricing", name="signup"),
        hit(at, visitor=2, path="/pricing"),
        hit(at + 30_000, visitor=2, path="/"),
        hit(at, visitor=3, path="/blog"),
        hit(at + 10_000, visitor=3, path="/pricing", name="signup"),
    ]
    outcome = fold(list(enumerate(hits)), PipelineState(Sources()), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(hits)))
    asked = {
        "metrics": ["visitors", "visits", "bounce_rate", "visit_duration", "views_per_visit"],
        "dimensions": ["event:page"],
        "filters": [["is", "event:name", ["signup"]]],
    }
    reply = await ask(api, asked)
    assert reply.json()["results"] == [
        {"dimensions": ["/pricing"], "metrics": [2, 2, 0, 65, 1.5]},
    ]
    reply = await ask(api, {**asked, "filters": [["is", "event:page", ["/pricing"]]]})
    assert reply.json()["results"] == [
        {"dimensions": ["/pricing"], "metrics": [3, 2, 0, 30, 2.0]},
    ]
