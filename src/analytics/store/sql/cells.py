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
"""

from __future__ import annotations

from typing import Final, NamedTuple

from analytics import dimension_facts, localtime
from analytics.query import TIME_DIMENSIONS, Dimension, Metric, Query
from analytics.store.connection import Connection
from analytics.store.sql import columns, compiler, measures
from analytics.store.sql.compiler import CompiledQuery
from analytics.store.sql.conditions import BoundValues
from analytics.store.sql.query_shape import QueryShape
from analytics.store.sql.row_selects import RowSelects
from analytics.store.sql.time_buckets import bucket_sql

NEVER: Final = 2**31 - 1
"""The gap of a visitor's first active day."""
TOTAL: Final = columns.TOTAL
"""The dimension of the cells of the whole site."""

DIMENSIONS: Final = tuple(each for each, facts in dimension_facts.DIMENSIONS.items() if facts.cells)
"""The dimensions that have cells, besides the site as a whole."""

_PAGE: Final = frozenset(Metric) - measures.REVENUE_METRICS
_EVERYWHERE: Final = _PAGE - measures.PAGE_METRICS
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
    return _PAGE if dimension == Dimension.PAGE else _EVERYWHERE


class CleanDays(NamedTuple):
    """The days of a query that cells answer: [first, end), and the instant where they end."""

    first: int
    end: int
    end_ms: int


def clean_days(connection: Connection, shape: QueryShape) -> CleanDays | None:
    """Return the days of a query that cells can answer, or None if only rows can answer it."""
    query = shape.query
    if not _has_cells(query):
        return None
    zone, start, end = query.period.timezone, query.period.start, query.period.end
    if not localtime.is_day_start(zone, start):
        return None
    state = connection.rows(
        "SELECT until FROM cell_state WHERE site = ? AND timezone = ?",
        [query.site, localtime.edition(zone)],
    )
    if not state:
        return None
    until = localtime.day_of(zone, state[0][0])
    if end < localtime.day_start(zone, until):
        if not localtime.is_day_start(zone, end):
            return None
        until = localtime.day_of(zone, end)
    first = shape.first_day
    return CleanDays(first, until, localtime.day_start(zone, until)) if first < until else None


def _has_cells(query: Query) -> bool:
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


def compile_cells(shape: QueryShape, clean: CleanDays, *, gone: bool = False) -> CompiledQuery:
    """Return the statements that answer a query from cells, and from rows after the clean days.

    *gone*: rows of clean days may have been evicted; `last_seen` has their visitors.
    """
    query = shape.query
    bound = BoundValues()
    parts = [_sums(shape, clean, bound)]
    everyone = []
    if "visitors" in shape.measures:
        parts.append(_visitors(shape, query.dimensions, clean, bound))
    if Metric.PERCENTAGE in query.metrics:
        everyone.append(_visitors(shape, (), clean, bound))
    tables: list[str] = []
    if clean.end_ms < query.period.end:
        rows = RowSelects(
            shape, bound, start=clean.end_ms, seen_since=query.period.start, gone=gone
        )
        parts += rows.needed()
        everyone += rows.everyone()
        tables = rows.tables()
    return compiler.assemble(shape, parts, everyone, tables, bound)


def _visitors(
    shape: QueryShape, dimensions: tuple[str, ...], clean: CleanDays, bound: BoundValues
) -> str:
    """Return a select of the keys and `visitors`, each once a bucket: on the first active day."""
    first = bound(clean.first)
    for dimension in dimensions:
        if dimension in TIME_DIMENSIONS:
            first = f"greatest({first}, {bucket_sql(dimension, 'day', shape.first_day)})"
    where = f"{_where(dimensions, clean, bound)} AND gap > day - {first}"
    return (
        f"SELECT {_keys(dimensions, shape.first_day)} sum(visitors) AS visitors FROM cell_visitors"
        f" WHERE {where} GROUP BY ALL"
    )


def _sums(shape: QueryShape, clean: CleanDays, bound: BoundValues) -> str:
    dimensions = shape.query.dimensions
    sums = "".join(f"sum({m}) AS {m}, " for m in SUMS if m in shape.measures)
    evidence = ["events"] * shape.counts_events + ["begun"] * shape.counts_visits
    return (
        f"SELECT {_keys(dimensions, shape.first_day)} {sums}"
        f" CAST(sum({' + '.join(evidence)}) > 0 AS INTEGER) AS present"
        f" FROM cell_sums WHERE {_where(dimensions, clean, bound)} GROUP BY ALL"
    )


def _keys(dimensions: tuple[str, ...], first_day: int) -> str:
    return "".join(
        f"{bucket_sql(d, 'day', first_day) if d in TIME_DIMENSIONS else 'value'} AS k{i}, "
        for i, d in enumerate(dimensions)
    )


def _where(dimensions: tuple[str, ...], clean: CleanDays, bound: BoundValues) -> str:
    named = next((d for d in dimensions if d not in TIME_DIMENSIONS), TOTAL)
    return (
        f"site = $site AND dimension = {bound(named)}"
        f" AND day >= {bound(clean.first)} AND day < {bound(clean.end)}"
    )
