"""Limits on the size of a query, checked before it is compiled.

The engine's planner obeys neither its memory limit nor an interruption, so a query that is too
large must not reach it. Pages, both versions of the API and the Spark job all check here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics import bounds
from analytics.errors import Malformed
from analytics.query import Compare, Filter, HasDone, InSequence, Op, Query
from analytics.store.sql.filter_shape import walk

SEARCHING: Final = frozenset({Op.CONTAINS, Op.CONTAINS_NOT, Op.MATCHES, Op.MATCHES_NOT})
"""Operators that search the text of every row."""


def check(query: Query) -> None:
    """Raise `Malformed` if *query* exceeds one of the limits in `bounds`."""
    _at_most(bounds.DIMENSIONS, len(query.dimensions), "dimensions", "dimensions")
    _at_most(bounds.ORDERS, len(query.order_by), "order_by", "terms")
    check_filters(query.filters)


def check_filters(filters: Sequence[Filter]) -> None:
    """Raise `Malformed` if all *filters* of one question exceed one of the limits in `bounds`."""
    every = [each for each, _ in walk(filters)]
    comparisons = [each for each in every if isinstance(each, Compare)]
    searched = [v for each in comparisons if each.op in SEARCHING for v in each.values]
    _at_most(bounds.COMPARISONS, len(comparisons), "filters", "comparisons")
    _at_most(
        bounds.HAS_DONE,
        sum(isinstance(each, HasDone) for each in every),
        "filters",
        "times has_done or has_not_done",
    )
    sequences = [each for each in every if isinstance(each, InSequence)]
    _at_most(bounds.SEQUENCES, len(sequences), "filters", "sequences")
    for each in sequences:
        _at_most(bounds.STEPS, len(each.filters), "filters", "steps in a sequence")
    _at_most(
        bounds.VALUES, sum(len(each.values) for each in comparisons), "filters", "values in all"
    )
    _at_most(bounds.SEARCHES, len(searched), "filters", "values in all of contains and matches")
    _at_most(
        bounds.SEARCH_CHARS,
        sum(map(len, searched)),
        "filters",
        "characters in all values of contains and matches",
    )


def check_sent(comparisons: int, values: int, field: str) -> None:
    """Raise `Malformed` if filters that are only counted so far are too many to be read."""
    _at_most(bounds.COMPARISONS, comparisons, field, "comparisons")
    _at_most(bounds.VALUES, values, field, "values in all")


def _at_most(most: int, count: int, field: str, what: str) -> None:
    if count > most:
        raise Malformed(
            field, f"a question has at most {most:,} {what}, and this one has {count:,}"
        )
