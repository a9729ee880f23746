"""Figures beside those of an earlier period, in both versions of the Stats API."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
import pytest
from tests.api.test_stats_v2 import api, ask, waiting  # noqa: F401 - fixtures
from tests.dashboard.world import berlin

from analytics.event import Hit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit


async def _store(store: DuckDBStore, hits: Sequence[Hit]) -> None:
    outcome = fold(list(enumerate(hits)), PipelineState(Sources()), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(hits)))


def _views(day: str, browser: str, visitors: int) -> list[Hit]:
    """One view of each of so many visitors, who are others on each day."""
    first = int(day.replace("-", "")) * 100
    at = berlin(f"{day} 10:00")
    return [hit(at, visitor=first + i, browser=browser) for i in range(visitors)]


@pytest.fixture
async def weeks(store: DuckDBStore) -> None:
    """Chrome grows from 1 to 3 within two weeks, Firefox falls from 4 to 2; a year ago, 2."""
    await _store(
        store,
        [
            *_views("2025-11-17", "Chrome", 2),
            *_views("2026-11-10", "Firefox", 4),
            *_views("2026-11-11", "Chrome", 1),
            *_views("2026-11-17", "Chrome", 3),
            *_views("2026-11-18", "Firefox", 2),
        ],
    )


WEEK = {"metrics": ["visitors", "percentage"], "date_range": ["2026-11-17", "2026-11-23"]}


@pytest.mark.usefixtures("weeks")
async def test_each_row_stands_beside_its_earlier_one(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {
        **WEEK,
        "dimensions": ["visit:browser"],
        "include": {"comparisons": {"mode": "previous_period"}},
        "pagination": {"limit": 1},
    }
    answer = (await ask(api, asked)).json()
    assert answer["results"] == [
        {
            "dimensions": ["Chrome"],
            "metrics": [3, 60.0],
            "comparison": {
                "dimensions": ["Chrome"],
                "metrics": [1, 20.0],
                "change": [200, 200],
            },
        }
    ]
    assert answer["query"]["comparison_date_range"] == [
        "2026-11-10T00:00:00+01:00",
        "2026-11-16T23:59:59+01:00",
    ]
    assert answer["query"]["include"]["comparisons"] == {"mode": "previous_period"}


@pytest.mark.usefixtures("weeks")
async def test_a_series_stands_beside_the_earlier_one_day_by_day(
    api: httpx2.AsyncClient,  # noqa: F811
) -> None:
    asked = {
        "metrics": ["visitors"],
        "date_range": ["2026-11-17", "2026-11-19"],
        "dimensions": ["time:day"],
        "include": {"comparisons": {"mode": "custom", "date_range": ["2026-11-10", "2026-11-11"]}},
    }
    assert (await ask(api, asked)).json()["results"] == [
        {
            "dimensions": ["2026-11-17"],
            "metrics": [3],
            "comparison": {"dimensions": ["2026-11-10"], "metrics": [4], "change": [-25]},
        },
        {
            "dimensions": ["2026-11-18"],
            "metrics": [2],
            "comparison": {"dimensions": ["2026-11-11"], "metrics": [1], "change": [100]},
        },
        {"dimensions": ["2026-11-19"], "metrics": [0], "comparison": None},
    ]


@pytest.mark.usefixtures("weeks")
@pytest.mark.parametrize(
    ("comparison", "first", "visitors"),
    [
        ({"mode": "year_over_year"}, "2025-11-17", 2),
        # 17 November is a Tuesday in 2026, and a Monday in 2025.
        ({"mode": "year_over_year", "match_day_of_week": True}, "2025-11-18", 0),
        ({"mode": "custom", "date_range": ["2026-11-10", "2026-11-10"]}, "2026-11-10", 4),
    ],
)
async def test_the_earlier_period_is_chosen(
    api: httpx2.AsyncClient,  # noqa: F811
    comparison: dict[str, object],
    first: str,
    visitors: int,
) -> None:
    answer = (await ask(api, {**WEEK, "include": {"comparisons": comparison}})).json()
    assert answer["query"]["comparison_date_range"][0].startswith(first)
    (row,) = answer["results"]
    assert row["comparison"]["metrics"][0] == visitors


@pytest.mark.parametrize(
    ("comparison", "field", "words"),
    [
        ({"mode": "last_year"}, "include.comparisons.mode", "year_over_year"),
        ({"mode": {}}, "include.comparisons.mode", "year_over_year"),
        ({"mode": ["custom"]}, "include.comparisons.mode", "year_over_year"),
        ({"mode": "custom"}, "include.comparisons.date_range", "needs it"),
        (
            {"mode": "previous_period", "date_range": "7d"},
            "include.comparisons.date_range",
            "belongs to the mode custom",
        ),
        ({"mode": "previous_period", "match": True}, "include.comparisons.match", "match_day"),
        ("previous_period", "include.comparisons", "object"),
    ],
)
async def test_a_comparison_that_cannot_be_is_refused_with_the_choices(
    api: httpx2.AsyncClient,  # noqa: F811
    comparison: object,
    field: str,
    words: str,
) -> None:
    reply = await ask(api, {**WEEK, "include": {"comparisons": comparison}})
    assert (reply.status_code, reply.json()["field"]) == (400, field)
    assert words in reply.json()["reason"]


@pytest.mark.usefixtures("weeks")
async def test_version_1_tells_the_earlier_figure_too(api: httpx2.AsyncClient) -> None:  # noqa: F811
    reply = await api.get(
        "/api/v1/stats/aggregate",
        params={
            "site_id": SITE,
            "period": "custom",
            "date": "2026-11-17,2026-11-23",
            "metrics": "visitors,bounce_rate",
            "compare": "previous_period",
            "filters": '[["is", "visit:browser", ["Chrome"]]]',
        },
    )
    assert reply.json()["results"] == {
        "visitors": {"value": 3, "change": 200, "comparison_value": 1},
        "bounce_rate": {"value": 100, "change": 0, "comparison_value": 100},
    }
