"""Which span of time a report page covers, and which one it is compared with."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, NamedTuple

from analytics import date_range, localtime, zones
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.report_url import PERIODS, ReportUrl
from analytics.date_range import local
from analytics.query import Period

_RANGES: Final = {"yesterday": "1d", "last_month": "1mo"}
"""What `date_range` calls the periods that have a name of their own here."""


class ReportPeriod(NamedTuple):
    """The period asked for, with the names that people read."""

    period: Period
    before: Period
    """The period before it, whole: what the plot's second line shows."""
    before_so_far: Period
    """As much of `before` as has passed of `period`: what the figures are compared with."""
    title: str
    dates: str


async def resolve(
    deps: DashboardContext, address: ReportUrl, period: str, timezone: str
) -> ReportPeriod:
    """What *address* means, with *period* for its period."""
    now = deps.clock()
    first_ms = await deps.store.first_event(address.site) if period == "all" else None
    asked = (address.start, address.end) if period == "custom" else _RANGES.get(period, period)
    found = date_range.resolve(asked, timezone, now, first_ms)
    before = date_range.previous(found)
    dates = dates_of(found, now)
    return ReportPeriod(
        found, before, _so_far(found, before, now), PERIODS.get(period, dates), dates
    )


def _so_far(period: Period, before: Period, now: int) -> Period:
    """As much of *before* as has passed of *period*, whole days both, by the site's clocks."""
    if period.end <= now:
        return before
    zone = period.timezone
    days = localtime.day_of(zone, period.start) - localtime.day_of(zone, before.start)
    # The same time of the day, so that a clock change on one side alone shifts nothing.
    then = local(now, zone).replace(tzinfo=None) - timedelta(days)
    end = round(then.replace(tzinfo=zones.zone(zone)).timestamp() * 1000)
    return Period(before.start, min(max(end, before.start + 1), before.end), zone)


def dates_of(period: Period, now: int) -> str:
    """`24 Nov 2026`, or `18 – 24 Nov 2026`, with no more months and years than needed."""
    first = local(period.start, period.timezone).date()
    # What still runs is named up to today; what has not begun by all of its days.
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
    """`24 Nov`, or `24 Nov 2026`."""
    return f"{day.day} {day:%b %Y}" if with_year else f"{day.day} {day:%b}"
