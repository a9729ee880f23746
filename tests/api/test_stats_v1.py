"""The Stats API's first version gives the figures of the second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.api.test_stats_v2 import api, visited, waiting  # noqa: F401 (fixtures)
from tests.dashboard.world import berlin

from analytics import bounds
from analytics.api.stats_v1 import _filters
from analytics.errors import Malformed
from analytics.query import Compare, Metric, Op
from analytics.store.duckdb import DuckDBStore
from analytics.store.lag import Lag
from analytics.store.sql.measures import GOAL_METRICS
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

PAGE_ONLY = {Metric.EXITS, Metric.EXIT_RATE, Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH}
"""Metrics that are asked for by page."""
pytestmark = pytest.mark.usefixtures("visited")


async def ask(api: httpx2.AsyncClient, path: str, **params: object) -> httpx2.Response:  # noqa: F811
    return await api.get(f"/api/v1/stats/{path}", params={"site_id": SITE, **params})


async def test_aggregate_compares_with_the_period_before(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {"period": "7d", "metrics": "visitors,bounce_rate", "compare": "previous_period"}
    assert (await ask(api, "aggregate", **asked)).json() == {
        "results": {
            "visitors": {"value": 2, "change": 100, "comparison_value": 0},
            "bounce_rate": {"value": 50, "change": 50, "comparison_value": 0},
        }
    }


async def test_a_timeseries_has_every_day(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {
        "period": "custom",
        "date": "2026-11-22,2026-11-23",
        "metrics": "visitors,visit_duration",
    }
    assert (await ask(api, "timeseries", **asked)).json() == {
        "results": [
            {"date": "2026-11-22", "visitors": 0, "visit_duration": None},
            {"date": "2026-11-23", "visitors": 2, "visit_duration": 30},
        ]
    }


@pytest.fixture
async def tagged(store: DuckDBStore) -> None:
    """Two visitors with a tag, on two systems of equal version; one without a tag."""
    at = berlin("2026-11-21 10:00")
    hits = [
        hit(at, visitor=21, utm_medium="mail", os="Mac", os_version="14", props={"tier": "big-1"}),
        hit(at, visitor=22, utm_medium="mail", os="Windows", os_version="14", path="/a"),
        hit(at, visitor=23, os="Mac", os_version="15", props={"tier": "small-1"}),
    ]
    await store.write(batch(hits))


ON_THAT_DAY = {"period": "day", "date": "2026-11-21"}


@pytest.mark.usefixtures("tagged")
async def test_a_breakdown_by_a_tag_leaves_out_who_has_none(api: httpx2.AsyncClient) -> None:  # noqa: F811
    reply = await ask(api, "breakdown", property="visit:utm_medium", **ON_THAT_DAY)
    assert reply.json()["results"] == [{"utm_medium": "mail", "visitors": 2}]


@pytest.mark.usefixtures("tagged")
async def test_a_version_is_one_of_something(api: httpx2.AsyncClient) -> None:  # noqa: F811
    reply = await ask(api, "breakdown", property="visit:os_version", **ON_THAT_DAY)
    assert reply.json()["results"] == [
        {"os": "Mac", "os_version": "14", "visitors": 1},
        {"os": "Mac", "os_version": "15", "visitors": 1},
        {"os": "Windows", "os_version": "14", "visitors": 1},
    ]


@pytest.mark.usefixtures("tagged")
@pytest.mark.parametrize(
    ("filters", "visitors"),
    [
        ('[["matches_wildcard","event:props:tier",["big-*"]]]', 1),
        ('[["matches_wildcard","event:props:tier",["*-1"]]]', 2),
        ('[["matches_wildcard_not","event:props:tier",["big-*"]]]', 2),
        ('[["matches_wildcard","event:page",["/*"]]]', 3),
        ('[["matches_wildcard","event:page",["/.*"]]]', 0),
    ],
)
async def test_filters_in_json_have_wildcards(
    api: httpx2.AsyncClient,  # noqa: F811
    filters: str,
    visitors: int,
) -> None:
    reply = await ask(api, "aggregate", filters=filters, **ON_THAT_DAY)
    assert reply.json() == {"results": {"visitors": {"value": visitors}}}


async def test_a_metric_that_is_asked_for_twice_is_answered_once(
    api: httpx2.AsyncClient,  # noqa: F811
) -> None:
    reply = await ask(api, "aggregate", period="7d", metrics="visitors, visitors,visitors")
    assert reply.json() == {"results": {"visitors": {"value": 2}}}


async def test_machines_count_where_they_are_asked_for(
    api: httpx2.AsyncClient,  # noqa: F811
    store: DuckDBStore,
) -> None:
    at = berlin("2026-11-22 10:00")
    await store.write(batch([hit(at, visitor=9, bot="crawler", browser="GPTBot")]))
    asked = {"property": "visit:bot_name", "period": "7d"}
    reply = await ask(api, "breakdown", **asked, bots="true")
    assert reply.json()["results"] == [
        {"bot_name": "People", "visitors": 2},
        {"bot_name": "GPTBot", "visitors": 1},
    ]
    assert (await ask(api, "breakdown", **asked)).json()["field"] == "bots"


async def test_a_day_has_hours(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {"period": "day", "date": "2026-11-23", "metrics": "pageviews"}
    results = (await ask(api, "timeseries", **asked)).json()["results"]
    assert len(results) == 24
    assert results[10] == {"date": "2026-11-23 10:00:00", "pageviews": 3}


async def test_a_breakdown_names_the_property(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {"period": "7d", "property": "event:page", "metrics": "visitors,pageviews", "limit": 1}
    first = {"page": "/a", "visitors": 2, "pageviews": 2}
    assert (await ask(api, "breakdown", **asked)).json() == {"results": [first]}
    second = {"page": "/b", "visitors": 1, "pageviews": 1}
    assert (await ask(api, "breakdown", **asked, page=2)).json() == {"results": [second]}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"metrics": "hits"}, "metrics"),
        ({"period": "decade"}, "period"),
        ({"period": "custom", "date": "2026-11-05,2026-11-01"}, "date"),
        ({"date": "0001-01-05"}, "date"),
        ({"site_id": ""}, "site_id"),
        ({"period": "custom"}, "date"),
        ({"filters": "visit:mood==good"}, "filters"),
        ({"filters": "nonsense"}, "filters"),
        ({"compare": "rivals"}, "compare"),
    ],
)
async def test_what_is_wrong_is_named(
    api: httpx2.AsyncClient,  # noqa: F811
    params: dict[str, str],
    field: str,
) -> None:
    reply = await ask(api, "aggregate", **params)
    assert (reply.status_code, reply.json()["field"]) == (400, field)


def test_filters_read_as_they_were_written() -> None:
    assert _filters("visit:country==DE|FR;event:page!=/blog/**;event:props:a b~x\\|y") == [
        Compare(Op.IS, "visit:country", ("DE", "FR")),
        Compare(Op.MATCHES_NOT, "event:page", ("^/blog/.*$",)),
        Compare(Op.CONTAINS, "event:props:a b", ("x|y",)),
    ]


def test_blanks_around_an_operator_and_its_values_mean_nothing() -> None:
    assert _filters(" visit:country == DE | FR ; event:page !=  /blog/** ;; event:name~ a b ") == [
        Compare(Op.IS, "visit:country", ("DE", "FR")),
        Compare(Op.MATCHES_NOT, "event:page", ("^/blog/.*$",)),
        Compare(Op.CONTAINS, "event:name", ("a b",)),
    ]


async def test_blanks_around_a_parameter_mean_nothing(api: httpx2.AsyncClient) -> None:  # noqa: F811
    plain = {"period": "day", "date": "2026-11-24", "property": "visit:source", "limit": "5"}
    blank = {name: f" {value} " for name, value in plain.items()}
    for kind, more in (("breakdown", {}), ("timeseries", {"interval": "hour"}), ("aggregate", {})):
        answer = await ask(
            api, kind, **blank, **{name: f"{value} " for name, value in more.items()}
        )
        assert answer.status_code == 200
        assert answer.json() == (await ask(api, kind, **plain, **more)).json()


async def test_a_breakdown_by_nothing_is_told_what_is_missing(api: httpx2.AsyncClient) -> None:  # noqa: F811
    for nothing in ({}, {"property": ""}, {"property": " "}):
        answer = await ask(api, "breakdown", **nothing)
        assert (answer.status_code, answer.json()["field"]) == (400, "property")
        assert "is missing" in answer.text


@pytest.mark.parametrize("text", ["visit:country==", "visit:country== ", "==DE", "a" * 100_000])
def test_half_a_filter_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        _filters(text)


async def test_an_empty_bucket_has_what_an_empty_period_has(api: httpx2.AsyncClient) -> None:  # noqa: F811
    metrics = [m for m in Metric if m not in PAGE_ONLY | GOAL_METRICS]
    asked = {"metrics": ",".join(metrics), "period": "custom", "date": "2026-11-01,2026-11-01"}
    whole = (await ask(api, "aggregate", **asked)).json()["results"]
    (bucket,) = (await ask(api, "timeseries", **asked)).json()["results"]
    assert bucket == {"date": "2026-11-01"} | {name: whole[name]["value"] for name in metrics}
    assert bucket["bounce_rate"] == bucket["views_per_visit"] == bucket["visitors"] == 0


@pytest.mark.parametrize(
    ("period", "on", "first", "last"),
    [
        ("day", "2026-01-10", "2026-01-10 00:00:00", "2026-01-10 23:00:00"),
        ("month", "2026-01-10", "2026-01-01", "2026-01-31"),
        ("month", "2024-02-29", "2024-02-01", "2024-02-29"),
        ("month", "today", "2026-11-01", "2026-11-30"),
        ("6mo", "2026-01-10", "2025-08-01", "2026-01-01"),
        ("12mo", "2026-01-10", "2025-02-01", "2026-01-01"),
        ("year", "2026-01-10", "2026-01-01", "2026-12-31"),
        ("7d", "2026-01-10", "2026-01-03", "2026-01-09"),
        ("custom", "2026-01-10, 2026-01-12", "2026-01-10", "2026-01-12"),
    ],
)
async def test_a_period_is_the_whole_one_that_its_date_falls_into(
    api: httpx2.AsyncClient,  # noqa: F811
    period: str,
    on: str,
    first: str,
    last: str,
) -> None:
    reply = await ask(api, "timeseries", period=period, date=on, metrics="visitors")
    results = reply.json()["results"]
    assert (results[0]["date"], results[-1]["date"]) == (first, last)


async def test_a_month_is_counted_to_its_end_whatever_day_of_it_is_named(
    api: httpx2.AsyncClient,  # noqa: F811
) -> None:
    for on in ("2026-11-01", "2026-11-10", "2026-11-30"):
        for period in ("month", "6mo", "12mo", "year"):
            reply = await ask(api, "aggregate", period=period, date=on, metrics="pageviews")
            assert reply.json() == {"results": {"pageviews": {"value": 3}}}, (period, on)


async def test_thirty_years_of_hours_are_refused_by_the_bound(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {"period": "custom", "date": "1996-01-01,2026-01-01", "interval": "hour"}
    reply = await ask(api, "timeseries", **asked)
    assert reply.status_code == 400
    assert reply.json()["field"] == "interval"
    assert "10,000 hours" in reply.json()["reason"]
    months = (await ask(api, "timeseries", **{**asked, "interval": "month"})).json()["results"]
    assert len(months) == 361


class TestBacklog:
    """While durable hits wait to be counted."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[DuckDBStore]:
        async with DuckDBStore(tmp_path / "behind.duckdb", lag=lambda: Lag(92_000, 1_000)) as store:
            yield store

    async def test_figures_that_lack_something_say_so(
        self,
        api: httpx2.AsyncClient,  # noqa: F811
    ) -> None:
        lacking = {"as_of": 1_000, "waiting": 92_000}
        for path in ("aggregate", "timeseries", "breakdown"):
            reply = await ask(api, path, period="7d", property="event:page")
            assert reply.json()["meta"] == lacking, path
        query = {"site_id": SITE, "metrics": ["visitors"], "date_range": "7d"}
        assert (await api.post("/api/v2/query", json=query)).json()["meta"] == lacking


@pytest.mark.parametrize("worst", [":", "=", "!", "~", "\\", "*", "|", ";", "a==b*", "\\;"])
async def test_filters_longer_than_they_may_be_are_refused_whatever_they_say(
    api: httpx2.AsyncClient,  # noqa: F811
    worst: str,
) -> None:
    long = (worst * (bounds.FILTERS_V1_CHARS + 1))[: bounds.FILTERS_V1_CHARS + 1]
    reply = await ask(api, "aggregate", filters=long)
    assert (reply.status_code, reply.json()["field"]) == (400, "filters")
    assert "longer than 4,096 characters" in reply.json()["reason"]


@pytest.mark.parametrize("switch", ["with_imported", "bots"])
@pytest.mark.parametrize(
    ("value", "status"),
    [(v, 200) for v in ("true", "True", "1", "false", "FALSE", "0", "")]
    + [(v, 400) for v in ("yes", "maybe", "2")],
)
async def test_a_switch_is_true_or_false(
    api: httpx2.AsyncClient,  # noqa: F811
    switch: str,
    value: str,
    status: int,
) -> None:
    reply = await ask(api, "aggregate", period="7d", **{switch: value})
    assert reply.status_code == status
    if status == 400:
        assert reply.json()["field"] == switch
        assert "true or false" in reply.json()["reason"]
    elif switch == "with_imported":
        assert ("meta" in reply.json()) is (value.lower() in ("true", "1"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("metric", "metrics"), ("filter", "filters"), ("with_import", "with_imported")],
)
async def test_a_misspelled_parameter_is_refused(
    api: httpx2.AsyncClient,  # noqa: F811
    name: str,
    meant: str,
) -> None:
    reply = await ask(api, "aggregate", period="7d", **{name: "x"})
    assert (reply.status_code, reply.json()["field"]) == (400, name)
    assert f"did you mean {meant}?" in reply.json()["reason"]


@pytest.mark.parametrize("name", ["auth", "key", "timezone", "_", "from"])
async def test_other_parameters_are_let_through(
    api: httpx2.AsyncClient,  # noqa: F811
    name: str,
) -> None:
    assert (await ask(api, "aggregate", period="7d", **{name: ""})).status_code == 200
