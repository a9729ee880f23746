"""Cells: exact unique visitors over any range of days, without visitor ids.

Uniques do not add up over days. They do once each visitor's active day carries its *gap*: the
days since the same visitor was last active for the same key (a site, or one value of one of its
dimensions). Of a range [a, b] a visitor's first active day d is the only one with gap > d - a.
So `cell_visitors` counts, for each key and day, the visitors by gap, and

    visitors of [a, b] = sum(visitors) over the days d of [a, b] with gap > d - a

All other measures are additive: `cell_sums` holds them by key and day.

The cells of a site are valid up to a day (`cell_state.until`, which every write moves back to the
earliest moment that it changes); the days after it, at least today, are answered from rows. A
visitor counts on those days only if not active on the earlier days of the query.

A goal has cells too: of the dimension `event:goal`, by a key that its filter alone decides. They
are built once the goal is there, for past days as well, and valid for days of their own
(`goal_cells`); until then its events are counted from rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from analytics import dimension_facts
from analytics.query import TIME_DIMENSIONS, Dimension, Filter, Metric, Query
from analytics.stable_hash import hash64
from analytics.store.sql import columns, measures
from analytics.store.sql.filter_shape import FilterShape

NEVER: Final = 2**31 - 1
"""The gap of a visitor's first active day."""
TOTAL: Final = columns.TOTAL
"""The dimension of the cells of the whole site."""

DIMENSIONS: Final = tuple(each for each, facts in dimension_facts.DIMENSIONS.items() if facts.cells)
"""The dimensions that have cells, besides the site as a whole."""

_PAGE: Final = (
    frozenset(Metric) - measures.REVENUE_METRICS - measures.GOAL_METRICS - {Metric.EXIT_RATE}
)
_EVERYWHERE: Final = _PAGE - measures.PAGE_METRICS
_GOAL: Final = frozenset(
    {
        Metric.VISITORS,
        Metric.PAGEVIEWS,
        Metric.EVENTS,
        Metric.PERCENTAGE,
        Metric.CONVERSIONS,
        Metric.CONVERSION_RATE,
    }
)
SUMS: Final = (
    "pageviews",
    "events",
    *measures.VISIT_MEASURES,
    *measures.VIEWED_MEASURES,
    *measures.ATTENTION_MEASURES,
    *measures.SCROLL_MEASURES,
    *measures.EXIT_MEASURES,
)
"""The columns of `cell_sums` after its key."""


def metrics_of(dimension: str) -> frozenset[Metric]:
    """Return the metrics that the cells of *dimension* can answer."""
    match dimension:
        case Dimension.PAGE:
            return _PAGE
        case Dimension.GOAL:
            return _GOAL
        case _:
            return _EVERYWHERE


def goal_key(filter_: Filter) -> str:
    """Return the value under which the cells of a goal are kept, from the filter of its events."""
    return f"{hash64(msgspec.json.encode(filter_)):016x}"


def follows_visits(goal: Filter) -> bool:
    """Return whether an event reaches *goal* by what else its visit did."""
    return FilterShape.of((goal,)).has_done


def goal_keys(query: Query) -> Sequence[str]:
    """Return the key of each goal by which *query* splits; none for any other dimension."""
    if Dimension.GOAL not in query.dimensions:
        return ()
    return [goal_key(goal.filter) for goal in query.goals]


def cover(query: Query) -> bool:
    """Return whether there are cells of what *query* asks for; of which days is another matter."""
    if Dimension.GOAL in query.dimensions:
        return (
            query.dimensions == (Dimension.GOAL,)
            and bool(query.goals)
            and not (query.filters or query.base_filters or query.bots)
            and _GOAL.issuperset(query.metrics)
        )
    keys = [d for d in query.dimensions if d not in TIME_DIMENSIONS]
    dimension = keys[0] if keys else TOTAL
    return (
        not query.filters
        and not query.bots
        and len(keys) <= 1
        and (not keys or dimension in DIMENSIONS)
        and Dimension.HOUR not in query.dimensions
        and metrics_of(dimension).issuperset(query.metrics)
    )
