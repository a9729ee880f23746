"""The questions of Plausible's documentation of its Stats API, as they stand but for the site.

https://plausible.io/docs/stats-api#examples
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from msgspec import structs
from tests.api.test_stats_v2 import api, waiting  # noqa: F401 - fixtures
from tests.dashboard.world import berlin

from analytics.catalog import goals
from analytics.catalog.sqlite import SqliteCatalog
from analytics.goal import Goal, Segment
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

AT = berlin("2026-11-20 10:00")
ESTONIA = {"country": "EE", "region": "EE-37", "city": "Tallinn"}


@pytest.fixture
async def shop(store: DuckDBStore, peopled: SqliteCatalog) -> None:
    """An Estonian customer who signs up, and buyers who pay in dollars and in euros."""
    await store.write(
        batch(
            [
                hit(AT, visitor=1, path="/pricing", props={"is_customer": "true"}, **ESTONIA),
                hit(AT + 60_000, visitor=1, path="/join", name="Signup", **ESTONIA),
                hit(AT, visitor=2, path="/blog/docs", os="Mac", utm_medium="social"),
                hit(AT + 1, visitor=2, name="PurchaseUSD", revenue="5.5", currency="USD"),
                hit(AT, visitor=3, path="/docs", name="PurchaseEUR", revenue="7", currency="EUR"),
            ]
        )
    )
    for name, currency in (("Signup", ""), ("PurchaseUSD", "USD"), ("PurchaseEUR", "EUR")):
        await goals.add_goal(peopled, SITE, Goal(id=0, name=name, event=name, currency=currency))
    segment = Segment(id=2, name="Blog", filters='[["contains", "event:page", ["/blog"]]]')
    await peopled.sites.edit(
        SITE, lambda site: structs.replace(site, segments=(segment,), last_id=902)
    )


def money(value: float, currency: str, short: str) -> Mapping[str, object]:
    return {
        "value": value,
        "currency": currency,
        "short": f"{currency} {short}",
        "long": f"{currency} {value:.2f}",
    }


VISITORS = {"metrics": ["visitors"], "date_range": "7d"}
NO_IMPORTS = {"imports_included": False, "imports_skip_reason": "no_imported_data"}
EXAMPLES: Mapping[str, tuple[Mapping[str, Any], list[tuple[list[str], list[Any]]]]] = {
    "aggregate": ({**VISITORS, "metrics": ["visitors", "events"]}, [([], [3, 5])]),
    "custom date range": ({**VISITORS, "date_range": ["2024-08-01", "2024-08-15"]}, [([], [0])]),
    "country and city": (
        {
            "metrics": ["visitors", "pageviews", "bounce_rate"],
            "date_range": "7d",
            "filters": [["is_not", "visit:country_name", [""]]],
            "dimensions": ["visit:country_name", "visit:city_name"],
        },
        [(["Estonia", "Tallinn"], [1, 1, 0])],
    ),
    "utm": (
        {
            "metrics": ["visitors", "events", "pageviews"],
            "date_range": "7d",
            "dimensions": ["visit:utm_medium", "visit:utm_source"],
        },
        [(["(not set)", "(not set)"], [2, 3, 1]), (["social", "(not set)"], [1, 2, 1])],
    ),
    "filtering": (
        {
            **VISITORS,
            "filters": [
                ["contains", "event:page", ["/docs", "/pricing"]],
                [
                    "or",
                    [
                        ["not", ["is", "visit:utm_campaign", ["Referral"]]],
                        ["is", "visit:country_name", ["Estonia", "United States of America"]],
                    ],
                ],
            ],
        },
        [([], [3])],
    ),
    "case insensitive": (
        {**VISITORS, "filters": [["contains", "event:page", ["blog"], {"case_sensitive": False}]]},
        [([], [1])],
    ),
    "segment": (
        {
            "metrics": ["visitors", "events"],
            "filters": [["is", "segment", [2]]],
            "date_range": "7d",
        },
        [([], [1, 1])],
    ),
    "timeseries": (
        {
            "metrics": ["visitors", "events"],
            "date_range": "7d",
            "filters": [["is", "visit:os", ["GNU/Linux", "Mac"]]],
            "dimensions": ["time:day"],
        },
        [(["2026-11-20"], [1, 2])],
    ),
    "hours with labels": (
        {
            "metrics": ["visitors"],
            "date_range": "day",
            "dimensions": ["time:hour"],
            "include": {"time_labels": True},
        },
        [],
    ),
    "custom properties": (
        {
            **VISITORS,
            "dimensions": ["time:day", "event:props:is_customer"],
            "order_by": [["time:day", "asc"], ["event:props:is_customer", "desc"]],
        },
        [(["2026-11-20", "true"], [1]), (["2026-11-20", "(none)"], [3])],
    ),
    "pagination": (
        {
            "metrics": ["visitors", "events", "pageviews"],
            "date_range": "7d",
            "dimensions": ["visit:utm_medium", "visit:utm_source"],
            "include": {"total_rows": True},
            "pagination": {"limit": 3, "offset": 1},
        },
        [(["social", "(not set)"], [1, 2, 1])],
    ),
    "imports": (
        {
            "metrics": ["visitors"],
            "date_range": "all",
            "dimensions": ["visit:source"],
            "include": {"imports": True},
        },
        [(["Direct / None"], [3])],
    ),
    "imports under a filter": (
        {
            "metrics": ["visitors"],
            "date_range": "all",
            "dimensions": ["visit:source"],
            "filters": [["is", "visit:country_name", ["Estonia"]]],
            "include": {"imports": True},
        },
        [(["Direct / None"], [1])],
    ),
    "revenue": (
        {"metrics": ["total_revenue"], "date_range": "all", "dimensions": ["event:goal"]},
        [
            (["PurchaseEUR"], [money(7, "EUR", "7")]),
            (["PurchaseUSD"], [money(5.5, "USD", "6")]),
            (["Signup"], [None]),
        ],
    ),
    "revenue in two currencies": (
        {
            "metrics": ["total_revenue"],
            "date_range": "all",
            "filters": [["is", "event:goal", ["PurchaseUSD", "PurchaseEUR"]]],
        },
        [([], [None])],
    ),
    "behavioral filters": (
        {
            "metrics": ["visitors"],
            "date_range": "all",
            "filters": [
                ["is", "event:goal", ["Signup"]],
                ["has_done", ["is", "event:page", ["/pricing"]]],
            ],
        },
        [([], [1])],
    ),
}
META: Mapping[str, Mapping[str, Any]] = {
    "pagination": {"total_rows": 2},
    "imports": NO_IMPORTS,
    "imports under a filter": NO_IMPORTS,
    "hours with labels": {"time_labels": [f"2026-11-24 {hour:02}:00:00" for hour in range(24)]},
}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("name", EXAMPLES)
async def test_it_is_answered_as_it_stands(api: httpx2.AsyncClient, name: str) -> None:  # noqa: F811
    asked, rows = EXAMPLES[name]
    reply = await api.post("/api/v2/query", json={"site_id": SITE, **asked})
    answer = reply.json()
    assert reply.status_code == 200, answer
    assert [(row["dimensions"], row["metrics"]) for row in answer["results"]] == rows
    meta = {key: value for key, value in answer["meta"].items() if key != "metric_warnings"}
    assert meta == META.get(name, {})
    warned = answer["meta"].get("metric_warnings", {})
    codes = {metric: warning["code"] for metric, warning in warned.items()}
    several = {"total_revenue": "no_single_revenue_currency"}
    assert codes == (several if name == "revenue in two currencies" else {})


@pytest.mark.usefixtures("shop")
async def test_amounts_in_several_currencies_without_a_rate_are_warned_of(
    api: httpx2.AsyncClient,  # noqa: F811
    store: DuckDBStore,
) -> None:
    other = hit(AT + 2, visitor=9, name="PurchaseUSD", revenue="3", currency="EUR")
    await store.write(batch([other], start=5))
    asked = {
        "site_id": SITE,
        "metrics": ["total_revenue"],
        "date_range": "7d",
        "filters": [["is", "event:goal", ["PurchaseUSD"]]],
    }
    mixed = (await api.post("/api/v2/query", json=asked)).json()
    assert mixed["results"] == [{"dimensions": [], "metrics": [None]}]
    assert mixed["meta"]["metric_warnings"]["total_revenue"]["code"] == "no_exchange_rate"
    split = {**asked, "dimensions": ["event:currency"]}
    apart = (await api.post("/api/v2/query", json=split)).json()
    amounts = {row["dimensions"][0]: row["metrics"][0] for row in apart["results"]}
    assert amounts == {"USD": money(5.5, "USD", "6"), "EUR": money(3, "EUR", "3")}
    assert "metric_warnings" not in apart["meta"]
