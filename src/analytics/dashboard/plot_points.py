"""The points of a report's plot, and the small line of a site in the list of sites."""

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
SPARKLINE_WIDTH: Final = 240
SPARKLINE_HEIGHT: Final = 48
_SPARKLINE_MARGIN: Final = 2

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
    """The value of the query's time dimension."""
    name: str
    short: str
    start: datetime
    """Local time of the site, without a zone."""


class Point(NamedTuple):
    """One point of the plot, which is also one row of the table beside it."""

    name: str
    short: str
    value: float | None
    text: str
    before_name: str
    before: float | None
    before_text: str
    unfinished: bool
    """Whether the bucket is not over yet, so that its figure can still grow."""


class Sparkline(NamedTuple):
    """Points of SVG polylines in a box of `SPARKLINE_WIDTH` by `SPARKLINE_HEIGHT`."""

    line: str
    area: str
    """The line, closed along the bottom of the box."""


def intervals(period: Period) -> tuple[str, ...]:
    """Return the intervals in which a plot of *period* is readable."""
    days = (period.end - period.start) / DAY_MS
    return tuple(
        name
        for name in DIMENSIONS
        if _DAYS_AT_LEAST[name] <= round(days) and days <= _DAYS_AT_MOST[name]
    )


def usual_interval(period: Period) -> str:
    """Return the interval to begin with.

    Hours for one day, days up to a quarter, weeks up to half a year, then months.
    """
    days = round((period.end - period.start) / DAY_MS)
    if days <= 1:
        return "hour"
    if days <= 93:
        return "day"
    return "week" if days <= 190 else "month"


def buckets(site: str, period: Period, interval: str) -> list[Bucket]:
    """Return every bucket of *period*, including empty ones, with the store's labels."""
    query = Query(
        site=site,
        metrics=(Metric.VISITORS,),
        period=period,
        dimensions=(DIMENSIONS[interval],),
    )
    several_days = period.end - period.start > DAY_MS * 1.5
    labels = time_labels(query)
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
    """Return the first figure of each row of *result* by its bucket's label."""
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
    """Return a point for each bucket of the period, beside the same bucket of the one before.

    *values* and *before_values* map labels to figures. Buckets after *now* have no value. *running*
    is True while the period is not over.
    """
    points: list[Point] = []
    for index, bucket in enumerate(current):
        to_come = bucket.start > now
        follows = current[index + 1].start if index + 1 < len(current) else None
        value: Figure = None if to_come else values.get(bucket.label, 0) or 0
        earlier = before[index] if index < len(before) else None
        earlier_value: Figure = None
        if earlier is not None:
            earlier_value = before_values.get(earlier.label, 0) or 0
        points.append(
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
    return points


def sparkline(values: Sequence[float]) -> Sparkline:
    """Return the line through *values*, scaled to the highest; flat at the bottom if all are 0."""
    top = max([*values, 1])
    step = SPARKLINE_WIDTH / max(len(values) - 1, 1)
    height = SPARKLINE_HEIGHT - 2 * _SPARKLINE_MARGIN
    places = [
        f"{index * step:.1f},{SPARKLINE_HEIGHT - _SPARKLINE_MARGIN - value / top * height:.1f}"
        for index, value in enumerate(values)
    ]
    line = " ".join(places)
    area = f"0,{SPARKLINE_HEIGHT} {line} {SPARKLINE_WIDTH},{SPARKLINE_HEIGHT}"
    return Sparkline(line, area)
