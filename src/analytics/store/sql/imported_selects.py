"""Selects over the daily sums of other products, which join those over rows and over cells.

Like these they yield the keys of the query and some measures. Visitors are the sum of each day's:
nobody can tell whether those of two days were the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from analytics.imported.daily_sums import SumKind
from analytics.query import TIME_DIMENSIONS, Dimension, Filter, Metric
from analytics.store.sql import conditions, measures, place_columns
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.imported_shape import JoiningDays, goal_kinds, kind_of
from analytics.store.sql.keys import bucket_sql, column_sql, named
from analytics.store.sql.query_shape import QueryShape

_OF_EVENTS: Final = {
    "visitors": "sum(r.visitors)",
    "pageviews": "sum(r.pageviews)",
    "events": "sum(r.events)",
}
_OF_VISITS: Final = {
    "begun": "sum(r.visits)",
    "engages": "sum(r.visits - r.bounces)",
    "duration_ms": "sum(r.seconds) * 1000",
    "views": "sum(r.pageviews)",
}
_OF_PAGES: Final = {
    "viewed": "sum(r.visits)",
    "untimed": "sum(r.visits - r.engaged_visits)",
    "engaged_ms": "sum(r.engaged_s) * 1000",
    "scroll_sum": "sum(r.scroll_sum)",
    "scroll_visits": "sum(r.scroll_visits)",
    # Of the visits to a page it is not known which of them bounced, or how long they were.
    "begun": "sum(r.visits)",
    "unrated": "sum(r.visits)",
}
_OF_EXITS: Final = {**_OF_VISITS, "exits": "sum(r.visits)"}
_MEASURES: Final[Mapping[SumKind, Mapping[str, str]]] = {
    SumKind.PAGES: _OF_PAGES,
    SumKind.EXIT_PAGES: _OF_EXITS,
    SumKind.CUSTOM_EVENTS: {},
}
"""The measures besides those of events that sums of a kind yield, if not `_OF_VISITS`."""


class ImportedSelects(NamedTuple):
    """The selects of a query over imported sums."""

    needed: Sequence[str]
    """Selects that yield the keys, and `present`, measures or both."""
    everyone: Sequence[str]
    """Selects of `visitors` of all keys together, if a metric needs them."""


def measured(shape: QueryShape) -> QueryShape:
    """Return *shape* with the measures that tell which visits of the sums a mean is not of."""
    added = {"unrated"} if not measures.RATED_METRICS.isdisjoint(shape.query.metrics) else set()
    if Metric.TIME_ON_PAGE in shape.query.metrics:
        added.add("untimed")
    return shape._replace(measures=shape.measures | added)


def of(shape: QueryShape, days: JoiningDays, bound: BoundValues) -> ImportedSelects:
    """Return the selects over the sums of *days*, of a query that `imported_shape` lets join."""
    composer = _Composer(shape, days, bound)
    query = shape.query
    everyone = []
    if Metric.PERCENTAGE in query.metrics and (kind := kind_of(query.filters)) is not None:
        everyone.append(composer.everyone(kind))
    return ImportedSelects([*_needed(shape, composer)], everyone)


def _needed(shape: QueryShape, composer: _Composer) -> Iterator[str]:
    query = shape.query
    split = [each for each in query.dimensions if each != Dimension.GOAL]
    if Dimension.GOAL in query.dimensions:
        for goal, kind in zip(query.goals, goal_kinds(query), strict=True):
            if kind is not None:
                yield composer.sums(kind, (*query.filters, goal.filter), goal=goal.name)
    elif (kind := kind_of(query.filters, split)) is not None:
        yield composer.sums(kind, query.filters)
        if kind is SumKind.PAGES and not query.filters and Dimension.HOSTNAME not in split:
            yield composer.entries()
    if "exit_views" in shape.measures:
        yield composer.exit_views()
    base = query.base_filters or ()
    if "base_visitors" in shape.measures and (kind := kind_of(base)) is not None:
        yield composer.base("base_visitors", kind, by_time=True)
    if "group_visitors" in shape.measures and (kind := kind_of(base, split)) is not None:
        yield composer.base("group_visitors", kind, by_time=False)
    yield composer.nothing()


class _Composer:
    """Composes the selects of one query; a sum is `r`, of exit pages also `rx`."""

    def __init__(self, shape: QueryShape, days: JoiningDays, bound: BoundValues) -> None:
        self._shape = shape
        self._days = days
        self._bound = bound
        self._keys = [self._key(each) for each in shape.query.dimensions]
        self._of_days = f"site = $site AND day >= {bound(days.first)} AND day <= {bound(days.last)}"

    def sums(self, kind: SumKind, filters: Sequence[Filter], *, goal: str | None = None) -> str:
        """Return the measures of *kind*, of the sums that *filters* match."""
        chosen = {**_OF_EVENTS, **_MEASURES.get(kind, _OF_VISITS)}
        if kind is SumKind.PAGES and self._shape.visits != "begun":
            del chosen["begun"], chosen["unrated"]  # by page, those that began there: `entries`
        rows = self._rows(kind)
        if goal is not None:
            rows += f", (SELECT {self._bound(goal)} AS name) rg"
        evidence = "r.pageviews > 0 OR r.events > 0"
        if kind is not SumKind.PAGES:
            evidence += " OR r.visits > 0"
        shown = {"present": f"CAST(bool_or({evidence}) AS INTEGER)", **self._wanted(chosen)}
        return self._select(self._keys, shown, rows, filters)

    def entries(self) -> str:
        """Return the measures of the visits that began on a page, by page."""
        keys = [
            "r.entry_path" if dimension == Dimension.PAGE else key
            for dimension, key in zip(self._shape.query.dimensions, self._keys, strict=True)
        ]
        shown = {"present": "0", **self._wanted(_OF_VISITS)}
        return self._select(keys, shown, self._rows(SumKind.ENTRY_PAGES), ())

    def exit_views(self) -> str:
        """Return the pageviews of the pages whose exits are counted, by page."""
        keys = [
            "r.path" if dimension == Dimension.EXIT_PAGE else key
            for dimension, key in zip(self._shape.query.dimensions, self._keys, strict=True)
        ]
        return self._select(keys, {"exit_views": "sum(r.pageviews)"}, self._rows(SumKind.PAGES), ())

    def base(self, measure: str, kind: SumKind, *, by_time: bool) -> str:
        """Return *measure*, the visitors in percent of whom rates are, by all keys or by time."""
        dimensions = self._shape.query.dimensions
        filters = self._shape.query.base_filters or ()
        keys = [
            None if by_time and dimension not in TIME_DIMENSIONS else key
            for dimension, key in zip(dimensions, self._keys, strict=True)
        ]
        return self._select(keys, {measure: "sum(r.visitors)"}, self._rows(kind), filters)

    def everyone(self, kind: SumKind) -> str:
        """Return `visitors` of all keys together."""
        shown = {"visitors": "sum(r.visitors)"}
        return self._select((), shown, self._rows(kind), self._shape.query.filters)

    def nothing(self) -> str:
        """Return a select without rows that has every measure which the other selects may lack."""
        shown = ", ".join(f"0 AS {measure}" for measure in sorted(self._shape.measures))
        return f"SELECT {shown} WHERE false"

    def _key(self, dimension: str) -> str:
        if dimension in TIME_DIMENSIONS:
            return bucket_sql(dimension, "CAST(r.day AS BIGINT)", self._days.period_first)
        return place_columns.key(dimension, column_sql(dimension, "r", self._bound))

    def _rows(self, kind: SumKind) -> str:
        exits = ", {'path': exit_path} AS rx" if kind is SumKind.EXIT_PAGES else ""
        where = f"{self._of_days} AND kind = {self._bound(kind)}"
        return f"(SELECT *{exits} FROM imported_sums WHERE {where}) r"

    def _wanted(self, chosen: Mapping[str, str]) -> Mapping[str, str]:
        return {name: sql for name, sql in chosen.items() if name in self._shape.measures}

    def _select(
        self,
        keys: Sequence[str | None],
        shown: Mapping[str, str],
        rows: str,
        filters: Sequence[Filter],
    ) -> str:
        columns = [*named(keys), *(f"{sql} AS {name}" for name, sql in shown.items())]
        where = conditions.on_events(filters, self._shape.filters, self._bound)
        grouped = ", ".join(str(i + 1) for i in range(len(named(keys)))) or "'all'"
        return f"SELECT {', '.join(columns)} FROM {rows} WHERE {where} GROUP BY {grouped}"
