"""Buckets of local time: their SQL, their labels, and the list of all buckets of a period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from analytics import localtime
from analytics.errors import Malformed
from analytics.query import TIME_DIMENSIONS, Dimension, Period, Query
from analytics.units import DAY_MS, HOUR_MS

MAX_BUCKETS: Final = 10_000
"""The longest series: more than a year of hours, 27 years of days, 190 years of weeks."""
_SHORTEST_MS: Final[Mapping[str, int]] = {
    Dimension.HOUR: HOUR_MS,
    Dimension.DAY: DAY_MS,
    Dimension.WEEK: 7 * DAY_MS,
    Dimension.MONTH: 28 * DAY_MS,
}


def label(dimension: str, key: str | int) -> str:
    """Return *key* as the answer shows it: a number of local time as text, text unchanged."""
    if isinstance(key, str):
        return key
    if dimension == Dimension.HOUR:
        day, hour = divmod(key, 24)
        return f"{localtime.date_of(day)} {hour:02d}:00:00"
    return localtime.date_of(key).isoformat()


def check(query: Query, field: str = "date_range") -> None:
    """Raise `Malformed`, naming *field*, if the series has more than `MAX_BUCKETS` buckets."""
    for dimension in query.dimensions:
        if dimension in TIME_DIMENSIONS:
            length_ms = query.period.end - query.period.start
            if length_ms // _SHORTEST_MS[dimension] <= MAX_BUCKETS:
                return
            days = MAX_BUCKETS * _SHORTEST_MS[dimension] // DAY_MS
            name = dimension.removeprefix("time:")
            raise Malformed(
                field,
                f"{length_ms // DAY_MS:,} days have more than {MAX_BUCKETS:,} {name}s, the most of"
                " one series:"
                f" ask for {days:,} days at most, or for a longer interval than {name}s",
            )


def time_labels(query: Query) -> Sequence[str]:
    """Return the label of each bucket of the query's time dimension, in order, empty ones included.

    Raise `Malformed` for too many. A long series takes a while: do not call it on the event loop.
    """
    check(query)
    for dimension in query.dimensions:
        if dimension in TIME_DIMENSIONS:
            return [label(dimension, key) for key in dict.fromkeys(_keys(dimension, query.period))]
    return ()


def _keys(dimension: str, period: Period) -> Iterator[int]:
    """Yield the number of each hour, or the number of the first day of each other bucket."""
    zone, start, end = period.timezone, period.start, period.end
    if dimension == Dimension.HOUR:
        spans = localtime.changes(zone, start, end)
        ends = [*(change.since for change in spans[1:]), end]
        for (since, offset), until in zip(spans, ends, strict=True):
            yield from range((since + offset) // HOUR_MS, (until - 1 + offset) // HOUR_MS + 1)
        return
    first, last = localtime.day_of(zone, start), localtime.day_of(zone, end - 1)
    if dimension == Dimension.DAY:
        yield from range(first, last + 1)
    elif dimension == Dimension.WEEK:
        yield first
        yield from range(first - (first + 3) % 7 + 7, last + 1, 7)
    else:
        day = localtime.date_of(first).replace(day=1)
        while (number := localtime.day_number(day)) <= last:
            yield number
            day = (day + timedelta(31)).replace(day=1)
