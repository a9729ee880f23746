"""The properties of a query that decide how it is compiled, computed once and passed on.

Which statements a query needs, which tables they join and which measures they yield depends on
its metrics, dimensions and filters together. `check` validates a query and returns these
properties; nothing after it looks at the filters or the metrics again to find them out.
`query_plan` adds what depends on the time zone and on what is stored of the site.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from analytics.errors import Malformed
from analytics.query import TIME_DIMENSIONS, Dimension, Metric, Query
from analytics.store.sql import cells, columns, measures, query_cost, time_buckets
from analytics.store.sql.filter_shape import FilterShape

_EVENT_EVIDENCE: Final = frozenset({*measures.EVENT_MEASURES, *measures.REVENUE_MEASURES})


class QueryShape(NamedTuple):
    """A query, and the properties of it that decide how it is compiled and answered."""

    query: Query
    keys: tuple[str, ...]
    """The column of each dimension, in the query's order: `k0`, `k1`…"""
    measures: frozenset[str]
    """The measures that the metrics are made of (`measures.py`)."""
    filters: FilterShape
    by_page: bool
    """Whether it is split by page or hostname."""
    by_matches: bool
    """Whether visits count under each key at which the filters match an event of theirs."""
    visits: str
    """The measure of visits: those that began or, by page, those with a pageview there."""
    of_visits: bool
    """Whether some metric counts visits, and not events."""
    counts_events: bool
    """Whether an event under a key is enough for the answer to have a row for it."""
    counts_visits: bool
    """Whether a visit under a key is enough. Not by page: there a visit's key is its entry page."""
    has_cells: bool
    """Whether there are cells of what it asks for, if not of every day."""
    goal_keys: tuple[str, ...]
    """The keys of the cells of goals that it needs."""
    joins_exits: bool
    """Whether each row must be joined with the last pageview of its visit."""
    needs_exits: bool
    """Whether the last pageviews of visits must be found at all."""

    @classmethod
    def of(cls, query: Query) -> QueryShape:
        """Return the shape of *query*; raise `Malformed` for a filter on an unknown dimension.

        For queries that the program made itself; those of users go through `check`.
        """
        by_page = any(each in columns.PAGE_COLUMNS for each in query.dimensions)
        filters = FilterShape.of(
            query.filters, [*(goal.filter for goal in query.goals), *(query.base_filters or ())]
        )
        by_matches = by_page and filters.by_unmeasured
        visits = "viewed" if by_page and not by_matches else "begun"
        needed = measures.needed(query.metrics, visits)
        counts_visits = not by_page and not needed.isdisjoint(measures.VISIT_MEASURES)
        joins_exits = filters.by_exit or any(
            each in columns.EXIT_COLUMNS for each in query.dimensions
        )
        return cls(
            query=query,
            keys=tuple(f"k{i}" for i in range(len(query.dimensions))),
            measures=needed,
            filters=filters,
            by_page=by_page,
            by_matches=by_matches,
            visits=visits,
            of_visits=not measures.VISIT_METRICS.isdisjoint(query.metrics),
            counts_events=not counts_visits or not needed.isdisjoint(_EVENT_EVIDENCE),
            counts_visits=counts_visits,
            has_cells=cells.cover(query),
            goal_keys=tuple(cells.goal_keys(query)),
            joins_exits=joins_exits,
            needs_exits=joins_exits or not needed.isdisjoint(measures.EXIT_MEASURES),
        )

    @property
    def follows_visits(self) -> bool:
        """Whether rows outside the period matter, of visits that have some inside."""
        return self.needs_exits or self.filters.has_done


def check(query: Query) -> QueryShape:
    """Return the shape of *query*.

    Raise `Malformed` if it makes no sense, or is larger than a query may be.
    """
    query_cost.check(query)
    time_buckets.check(query)
    if not query.metrics:
        raise Malformed("metrics", "name at least one metric")
    if len(set(query.dimensions)) < len(query.dimensions):
        raise Malformed("dimensions", "name each of them once")
    for dimension in query.dimensions:
        columns.check_dimension(dimension, "dimensions")
    if sum(dimension in TIME_DIMENSIONS for dimension in query.dimensions) > 1:
        raise Malformed("dimensions", "only one time dimension at once")
    sortable = {*query.metrics, *query.dimensions}
    for order in query.order_by:
        if order.key not in sortable:
            raise Malformed(
                "order_by", f"{order.key[:80]!r} is neither a metric nor a dimension here"
            )
    if query.fewest_visitors and Metric.VISITORS not in query.metrics:
        raise Malformed("metrics", "rows of few visitors cannot come last without visitors")
    shape = QueryShape.of(query)
    _check_metrics(shape)
    return shape


def _check_metrics(shape: QueryShape) -> None:
    query = shape.query
    of_events = [each for each in query.dimensions if columns.is_unmeasured(each)]
    by_path = Dimension.PAGE in query.dimensions
    if Dimension.GOAL in query.dimensions and Metric.GROUP_CONVERSION_RATE in query.metrics:
        raise Malformed("metrics", "by event:goal there is conversion_rate alone")
    for metric in query.metrics:
        if metric in measures.GOAL_METRICS and query.base_filters is None:
            raise Malformed("metrics", f"{metric} needs a filter or the dimension event:goal")
        if metric in measures.VISIT_METRICS and of_events:
            raise Malformed(
                "metrics", f"{metric} is of visits, and cannot be split by {of_events[0]}"
            )
        if metric in (Metric.EXITS, Metric.EXIT_RATE):
            if not (by_path or Dimension.EXIT_PAGE in query.dimensions):
                raise Malformed(
                    "metrics", f"{metric} needs the dimension event:page or visit:exit_page"
                )
        elif metric in measures.PAGE_METRICS and not (by_path or shape.filters.by_page):
            raise Malformed("metrics", f"{metric} needs a filter or the dimension event:page")
