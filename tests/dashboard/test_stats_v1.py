"""The Stats API's first version gives the figures of the second."""

from __future__ import annotations

import httpx2
import pytest
from tests.dashboard.test_stats_api import api, visited, waiting  # noqa: F401 (fixtures)
from tests.dashboard.world import SITE

from analytics.dashboard.stats_v1 import _filters
from analytics.query import Compare, Op

pytestmark = pytest.mark.usefixtures("visited")


async def ask(api: httpx2.AsyncClient, path: str, **params: object) -> httpx2.Response:  # noqa: F811
    return await api.get(f"/api/v1/stats/{path}", params={"site_id": SITE, **params})


async def test_aggregate_compares_with_the_period_before(api: httpx2.AsyncClient) -> None:  # noqa: F811
    asked = {"period": "7d", "metrics": "visitors,bounce_rate", "compare": "previous_period"}
    assert (await ask(api, "aggregate", **asked)).json() == {
        "results": {
            "visitors": {"value": 2, "change": 100},
            "bounce_rate": {"value": 50, "change": 50},
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
        ({"period": "decade"}, "date_range"),
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
