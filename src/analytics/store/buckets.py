"""Buckets of local time: as SQL, as the text of an answer, and which ones there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from analytics.query import TIME_DIMENSIONS, Dimension, Query
from analytics.store import localtime


def label(dimension: str, key: str | int) -> str:
    """A key as the answer shows it: local time as text, anything else as it is."""
    if isinstance(key, str):
        return key
    if dimension == Dimension.HOUR:
        day, hour = divmod(key, 24)
        return f"{localtime.date_of(day)} {hour:02d}:00:00"
    return localtime.date_of(key).isoformat()


def time_labels(query: Query) -> Sequence[str]:
    """Every bucket of the query's time dimension, in order, those without events too."""
    for dimension in query.dimensions:
        if dimension in TIME_DIMENSIONS:
            return list(dict.fromkeys(_buckets(dimension, query)))
    return ()


def _buckets(dimension: str, query: Query) -> Sequence[str]:
    zone, start, end = query.period.timezone, query.period.start, query.period.end
    if dimension == Dimension.HOUR:
        # Quarter hours find every local hour, whatever the zone's offset and its changes.
        steps = range(start, end, localtime.HOUR_MS // 4)
        hours = ((at + localtime.offset_ms(zone, at)) // localtime.HOUR_MS for at in steps)
        return [label(dimension, hour) for hour in hours]
    first = localtime.day_of(zone, start)
    days = range(first, localtime.day_of(zone, end - 1) + 1)
    if dimension == Dimension.WEEK:
        return [label(dimension, max(first, day - (day + 3) % 7)) for day in days]
    if dimension == Dimension.MONTH:
        dates = (localtime.date_of(day) for day in days)
        return [(date - timedelta(date.day - 1)).isoformat() for date in dates]
    return [label(dimension, day) for day in days]


def bucket_sql(dimension: str, day: str, query: Query) -> str:
    """The first day of the bucket in which *day* (SQL) lies; a week's is cut by the period."""
    match dimension:
        case Dimension.WEEK:
            first = localtime.day_of(query.period.timezone, query.period.start)
            # Day 0 was a Thursday.
            return f"greatest({day} - ({day} + 3) % 7, {first})"
        case Dimension.MONTH:
            month = f"date_trunc('month', DATE '1970-01-01' + CAST({day} AS INTEGER))"
            return f"CAST(CAST({month} AS DATE) - DATE '1970-01-01' AS BIGINT)"
        case _:
            return day
