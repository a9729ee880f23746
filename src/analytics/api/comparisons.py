"""Compares the answers of the Stats API with an earlier period, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import structs

from analytics import date_range
from analytics.api import figures
from analytics.api.json_members import flag, members
from analytics.api.sent_query import SentComparison
from analytics.date_range import Comparison
from analytics.errors import Malformed
from analytics.query import TIME_DIMENSIONS, Figure, Period, Query, Result, ResultRow
from analytics.store.sql import time_buckets
from analytics.suggestions import unknown

_MOST_ROWS: Final = 100_000
"""Rows of the earlier period that are read, the largest first."""


class AskedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The period with which another is to be compared."""

    mode: Comparison
    date_range: object = None
    """The period itself, for a custom comparison."""
    match_day_of_week: bool = False
    """Whether the earlier period begins with the same day of the week."""

    def period(self, current: Period, now: int) -> Period:
        """Return the period with which *current* is compared."""
        if self.mode is Comparison.CUSTOM:
            return date_range.resolve(self.date_range, current.timezone, now)
        return date_range.earlier(current, self.mode, same_weekday=self.match_day_of_week)


def parse(sent: object) -> AskedComparison:
    """Return the comparison that `include.comparisons` asks for. Raise `Malformed`."""
    field = "include.comparisons"
    parts = members(sent, field, SentComparison.__struct_fields__)
    mode = parts.get("mode")
    if not isinstance(mode, str) or mode not in frozenset(Comparison):
        raise Malformed(f"{field}.mode", unknown("comparison", mode, Comparison))
    if (mode == Comparison.CUSTOM) is not ("date_range" in parts):
        raise Malformed(f"{field}.date_range", "belongs to the mode custom, which needs it")
    return AskedComparison(
        mode=Comparison(str(mode)),
        date_range=parts.get("date_range"),
        match_day_of_week=flag(parts, "match_day_of_week"),
    )


def query_of(query: Query, period: Period) -> Query:
    """Return *query* for the earlier *period*, without the limit on its rows."""
    return structs.replace(
        query, period=period, order_by=(), limit=_MOST_ROWS, offset=0, total_rows=False
    )


def rows(
    query: Query, result: Result, before: Query, earlier: Result
) -> Iterator[tuple[ResultRow, Mapping[str, object] | None]]:
    """Yield each row of an answer with its comparison as JSON, None where nothing corresponds.

    Buckets of time correspond by their place in the period, other rows by their values. A series
    of time has its empty buckets, too.
    """
    times = dict(
        zip(time_buckets.time_labels(query), time_buckets.time_labels(before), strict=False)
    )
    earlier_figures = {row.dimensions: row.metrics for row in earlier.rows}
    nothing = figures.of_nothing(query.metrics)
    for row in _with_empty_buckets(query, result, nothing):
        key = _corresponding(query, row, times)
        if key is None:
            yield row, None
            continue
        then = earlier_figures.get(key, nothing)
        triples = list(zip(query.metrics, row.metrics, then, strict=True))
        yield (
            row,
            {
                "dimensions": key,
                "metrics": [figures.json_of(metric, old) for metric, _, old in triples],
                "change": [figures.change(metric, new, old) for metric, new, old in triples],
            },
        )


def _corresponding(
    query: Query, row: ResultRow, times: Mapping[str, str]
) -> tuple[str, ...] | None:
    """Return the values of the earlier row of *row*; None if its bucket has no counterpart."""
    values = []
    for dimension, value in zip(query.dimensions, row.dimensions, strict=True):
        counterpart = times.get(value) if dimension in TIME_DIMENSIONS else value
        if counterpart is None:
            return None
        values.append(counterpart)
    return tuple(values)


def _with_empty_buckets(
    query: Query, result: Result, nothing: tuple[Figure, ...]
) -> Iterator[ResultRow]:
    """Yield the rows; of a whole series of time, those of empty buckets, too."""
    labels = time_buckets.time_labels(query)
    series = len(query.dimensions) == 1 and query.dimensions[0] in TIME_DIMENSIONS
    if not series or query.order_by or query.offset or len(labels) > query.limit:
        yield from result.rows
        return
    counted = {row.dimensions[0]: row for row in result.rows}
    for label in labels:
        yield counted.get(label) or ResultRow((label,), nothing)
