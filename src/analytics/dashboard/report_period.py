"""The period that a report page covers, and the previous period it is compared with."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, NamedTuple

from analytics import date_range, localtime, zones
from analytics.api import imports
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.report_url import COMPARISONS, PERIODS, ReportUrl
from analytics.date_range import Comparison, local
from analytics.query import Period

_RANGES: Final = {"yesterday": "1d", "last_month": "1mo"}
"""Periods that have another name in `date_range`."""


class ReportPeriod(NamedTuple):
    """The period of a report, with its names for people."""

    period: Period
    before: Period
    """The whole previous period, which the plot's second line shows."""
    before_so_far: Period
    """The part of `before` that corresponds to the part of `period` that has passed.

    Figures are compared with this part.
    """
    title: str
    dates: str
    before_name: str
    """The previous period's name for people."""


async def resolve(
    deps: DashboardContext, address: ReportUrl, period: str, timezone: str
) -> ReportPeriod:
    """Return the period named *period* for a report at *address*, in *timezone*.

    Raise `Malformed` for a period that does not exist or is too long.
    """
    now = deps.clock()
    first_ms = None
    if period == "all":
        first_ms = await imports.first_counted(
            deps.store, address.site, timezone, imports=address.imports
        )
    name = (address.start, address.end) if period == "custom" else _RANGES.get(period, period)
    current = date_range.resolve(name, timezone, now, first_ms)
    before = _compared(address, current, now)
    dates = dates_of(current, now)
    named = COMPARISONS[address.against]
    before_name = dates_of(before, now) if address.against == "custom" else named
    return ReportPeriod(
        current,
        before,
        _so_far(current, before, now),
        PERIODS.get(period, dates),
        dates,
        before_name,
    )


def _compared(address: ReportUrl, period: Period, now: int) -> Period:
    """Return the period with which *address* compares *period*."""
    if address.against == "custom":
        ends = (address.compare_start, address.compare_end)
        return date_range.resolve(ends, period.timezone, now)
    mode = Comparison.YEAR_OVER_YEAR if address.against else Comparison.PREVIOUS_PERIOD
    return date_range.earlier(period, mode, same_weekday=address.same_weekday)


def _so_far(period: Period, before: Period, now: int) -> Period:
    """Return the part of *before* that corresponds to the part of *period* before *now*.

    Both periods consist of whole days in the site's time zone.
    """
    if period.end <= now:
        return before
    zone = period.timezone
    days = localtime.day_of(zone, period.start) - localtime.day_of(zone, before.start)
    # By the time of day, so that a clock change in only one of the periods shifts nothing.
    then = local(now, zone).replace(tzinfo=None) - timedelta(days)
    end = round(then.replace(tzinfo=zones.zone(zone)).timestamp() * 1000)
    return Period(before.start, min(max(end, before.start + 1), before.end), zone)


def dates_of(period: Period, now: int) -> str:
    """Return the dates of *period*: `24 Nov 2026`, or `18 – 24 Nov 2026`."""
    first = local(period.start, period.timezone).date()
    # A period that is not over ends today, unless it has not begun.
    end = period.end if period.start > now else min(period.end, now + 1)
    last = local(max(period.start, end - 1), period.timezone).date()
    if first == last:
        return day_name(first, with_year=True)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {day_name(last, with_year=True)}"
    if first.year == last.year:
        return f"{day_name(first)} – {day_name(last, with_year=True)}"
    return f"{day_name(first, with_year=True)} – {day_name(last, with_year=True)}"


def day_name(day: date, *, with_year: bool = False) -> str:
    """Return *day* as `24 Nov` or `24 Nov 2026`."""
    return f"{day.day} {day:%b %Y}" if with_year else f"{day.day} {day:%b}"
