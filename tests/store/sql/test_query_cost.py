"""A question has a size, and none that is too large reaches the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from analytics import bounds
from analytics.errors import Malformed
from analytics.query import (
    All,
    Any,
    Compare,
    Filter,
    HasDone,
    Metric,
    Not,
    Op,
    Order,
    Period,
    Query,
)
from analytics.store.sql import query_cost

QUERY = Query(site="a.example", metrics=(Metric.VISITORS,), period=Period(0, 86_400_000, "Etc/UTC"))


Made = Callable[[int], Query]
"""Makes a question of so many of what a bound counts."""


def compare(*values: str, op: Op = Op.IS) -> Compare:
    return Compare(op, "visit:country", values)


def filtered(*filters: Filter) -> Query:
    return structs.replace(QUERY, filters=filters)


def comparisons(count: int) -> Query:
    return filtered(*[compare("DE")] * count)


def nested(count: int) -> Query:
    """Comparisons in each of the ways in which filters lie in each other."""
    return filtered(All((Not(Any((*[compare("DE")] * (count - 1), HasDone(compare("IR"))))),)))


def has_dones(count: int) -> Query:
    return filtered(*(HasDone(compare("DE"), negated=bool(i % 2)) for i in range(count)))


def values(count: int) -> Query:
    half = count // 2
    return filtered(compare(*["DE"] * half), Not(compare(*["IR"] * (count - half))))


def searches(count: int) -> Query:
    ops = (Op.CONTAINS, Op.CONTAINS_NOT, Op.MATCHES, Op.MATCHES_NOT)
    share = count // 4
    return filtered(
        *(compare(*["a"] * share, op=op) for op in ops[1:]),
        compare(*["a"] * (count - 3 * share), op=ops[0]),
    )


def long_searches(count: int) -> Query:
    return filtered(compare("a" * 10, op=Op.MATCHES), compare("b" * (count - 10), op=Op.CONTAINS))


def orders(count: int) -> Query:
    return structs.replace(QUERY, order_by=tuple([Order("visitors")] * count))


def dimensions(count: int) -> Query:
    return structs.replace(QUERY, dimensions=tuple(f"event:props:{i}" for i in range(count)))


@pytest.mark.parametrize(
    ("made", "most", "field"),
    [
        (comparisons, bounds.COMPARISONS, "filters"),
        (nested, bounds.COMPARISONS, "filters"),
        (has_dones, bounds.HAS_DONE, "filters"),
        (values, bounds.VALUES, "filters"),
        (searches, bounds.SEARCHES, "filters"),
        (long_searches, bounds.SEARCH_CHARS, "filters"),
        (orders, bounds.ORDERS, "order_by"),
        (dimensions, bounds.DIMENSIONS, "dimensions"),
    ],
)
def test_a_question_of_just_the_most_is_asked_and_one_more_is_refused(
    made: Made, most: int, field: str
) -> None:
    query_cost.check(made(most))
    with pytest.raises(Malformed, match=f"{most:,} .*{most + 1:,}") as refused:
        query_cost.check(made(most + 1))
    assert refused.value.field == field
