"""The points of the plot: every bucket of a period, with its figure and the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from analytics.dashboard import figure_format
from analytics.dashboard.report_period import day_name
from analytics.query import Dimension, Figure, Metric, Period, Query, Result
from analytics.store.sql.time_buckets import time_labels
from analytics.units import DAY_MS

MONTHS_WITHOUT_YEAR: Final = 24

DIMENSIONS: Final[dict[str, Dimension]] = {
    "hour": Dimension.HOUR,
    "day": Dimension.DAY,
    "week": Dimension.WEEK,
    "month": Dimension.MONTH,
}
_DAYS_AT_MOST: Final = {"hour": 8, "day": 400, "week": 1500, "month": 100_000}
_DAYS_AT_LEAST: Final = {"hour": 0, "day": 2, "week": 13, "month": 40}


class Bucket(NamedTuple):
    """One step of the time axis."""

    label: str
    """As a query's time dimension names it."""
    name: str
    short: str
    start: datetime
    """On the site's clocks, without a zone."""


class Point(NamedTuple):
    """One place on the plot, and one row of the table that says the same."""

    name: str
    short: str
    value: float | None
    text: str
    before_name: str
    before: float | None
    before_text: str
    unfinished: bool
    """Whether the bucket still runs, so that its figure will grow."""


def intervals(period: Period) -> tuple[str, ...]:
    """The intervals that make a readable plot of *period*."""
    days = (period.end - period.start) / DAY_MS
    return tuple(
        name
        for name in DIMENSIONS
        if _DAYS_AT_LEAST[name] <= round(days) and days <= _DAYS_AT_MOST[name]
    )


def usual_interval(period: Period) -> str:
    """Hours for a day, days to a quarter, weeks to half a year, then months."""
    days = round((period.end - period.start) / DAY_MS)
    if days <= 1:
        return "hour"
    if days <= 93:
        return "day"
    return "week" if days <= 190 else "month"


def buckets(site: str, period: Period, interval: str) -> list[Bucket]:
    """Every bucket of *period*, the empty ones too, named as the store's answers name them."""
    asked = Query(
        site=site,
        metrics=(Metric.VISITORS,),
        period=period,
        dimensions=(DIMENSIONS[interval],),
    )
    several_days = period.end - period.start > DAY_MS * 1.5
    labels = time_labels(asked)
    years = len(labels) > MONTHS_WITHOUT_YEAR
    return [
        _bucket(each, interval, several_days, year=years or each == labels[0]) for each in labels
    ]


def _bucket(label: str, interval: str, several_days: bool, *, year: bool) -> Bucket:
    start = datetime.fromisoformat(label)
    day = start.date()
    if interval == "hour":
        short = f"{start:%a %H}:00" if several_days else f"{start:%H}:00"
        return Bucket(label, f"{start:%a} {day_name(day)}, {start:%H}:00", short, start)
    if interval == "month":
        return Bucket(
            label,
            f"{start:%B %Y}",
            f"{start:%b %Y}" if year or start.month == 1 else f"{start:%b}",
            start,
        )
    name = f"{start:%a} " if interval == "day" else "Week of "
    return Bucket(label, name + day_name(day, with_year=True), day_name(day), start)


def values_of(result: Result) -> dict[str, Figure]:
    """The figure of each bucket's label."""
    return {row.dimensions[0]: row.metrics[0] for row in result.rows}


def points(
    metric: Metric,
    current: Sequence[Bucket],
    values: Mapping[str, Figure],
    before: Sequence[Bucket],
    before_values: Mapping[str, Figure],
    now: datetime,
    *,
    running: bool,
) -> list[Point]:
    """Both periods side by side, bucket by bucket; what is still to come has no value.

    *running* says whether the period is not over yet."""
    made: list[Point] = []
    for index, bucket in enumerate(current):
        to_come = bucket.start > now
        follows = current[index + 1].start if index + 1 < len(current) else None
        value: Figure = None if to_come else values.get(bucket.label, 0) or 0
        earlier = before[index] if index < len(before) else None
        earlier_value: Figure = None
        if earlier is not None:
            earlier_value = before_values.get(earlier.label, 0) or 0
        made.append(
            Point(
                name=bucket.name,
                short=bucket.short,
                value=figure_format.number(value),
                text=figure_format.exact(metric, value),
                before_name=earlier.name if earlier else "",
                before=figure_format.number(earlier_value),
                before_text=figure_format.exact(metric, earlier_value),
                unfinished=running and not to_come and (follows is None or follows > now),
            )
        )
    return made
