"""Countries, regions and cities by their names: in rows, in filters, and in order."""

from __future__ import annotations

import httpx2
import pytest
from tests.api.test_comparisons import _store
from tests.api.test_stats_v2 import api, ask, waiting  # noqa: F401 - fixtures
from tests.dashboard.world import berlin

from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import hit

AT = berlin("2026-11-23 10:00")


@pytest.fixture
async def placed(store: DuckDBStore) -> None:
    """Two provinces called Limburg, one of which a visitor leaves for the other; Bavaria."""
    places = [
        (1, "BE", "BE-VLI", "Hasselt"),
        (2, "NL", "NL-LI", "Maastricht"),
        (3, "NL", "NL-LI", "Venlo"),
        (4, "DE", "DE-BY", "Munich"),
        (5, "DE", "DE-XX", ""),
        (6, "", "", ""),
    ]
    await _store(
        store,
        [
            hit(AT + who, visitor=who, country=country, region=region, city=city)
            for who, country, region, city in places
        ]
        + [hit(AT + 7_200_000, visitor=1, country="NL", region="NL-LI", city="Venlo")],
    )


def _rows(answer: httpx2.Response) -> list[tuple[object, ...]]:
    return [(*row["dimensions"], *row["metrics"]) for row in answer.json()["results"]]


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize(
    ("dimension", "rows"),
    [
        (
            "visit:country_name",
            [("Netherlands", 3), ("Germany", 2), ("Belgium", 1), ("(not set)", 1)],
        ),
        (
            "visit:region_name",
            # Visitor 1 is in both of that name, and counts once.
            [("Limburg", 3), ("(not set)", 1), ("Bayern", 1), ("DE-XX", 1)],
        ),
        (
            "visit:city_name",
            [("(not set)", 2), ("Venlo", 2), ("Hasselt", 1), ("Maastricht", 1), ("Munich", 1)],
        ),
    ],
)
async def test_rows_have_names(
    api: httpx2.AsyncClient,  # noqa: F811
    dimension: str,
    rows: list[tuple[str, int]],
) -> None:
    answer = await ask(api, {"metrics": ["visitors"], "dimensions": [dimension]})
    assert sorted(_rows(answer)) == sorted(rows)
    figures = [row[1] for row in _rows(answer)]
    assert figures == sorted(figures, reverse=True)
    by_name = {"metrics": ["visitors"], "dimensions": [dimension], "order_by": [[dimension, "asc"]]}
    assert _rows(await ask(api, by_name)) == sorted(rows)


@pytest.mark.usefixtures("placed")
@pytest.mark.parametrize(
    ("condition", "visitors"),
    [
        (["is", "visit:country_name", ["Germany", "Belgium"]], 3),
        (["is_not", "visit:country_name", [""]], 5),
        (["contains", "visit:country_name", ["land"]], 3),
        (["contains", "visit:country_name", ["GERM"], {"case_sensitive": False}], 2),
        (["matches", "visit:country_name", ["^(Bel|Ger)"]], 3),
        (["is", "visit:region_name", ["Limburg"]], 3),
        (["is_not", "visit:region_name", ["Limburg"]], 3),
        (["is", "visit:region_name", ["DE-XX"]], 1),
        (["is", "visit:region_name", ["DE-BY"]], 0),
        (["is", "visit:region_name", ["(not set)"]], 1),
        (["is", "visit:city_name", ["Venlo"]], 2),
    ],
)
async def test_filters_compare_names(
    api: httpx2.AsyncClient,  # noqa: F811
    condition: list[object],
    visitors: int,
) -> None:
    answer = await ask(api, {"metrics": ["visitors"], "filters": [condition]})
    assert _rows(answer) == [(visitors,)]
