"""Which span of time a report page covers, and which one it is compared with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics.dashboard import date_range
from analytics.dashboard.address import PERIODS, Address
from analytics.dashboard.deps import Dashboard
from analytics.query import Period


class Span(NamedTuple):
    """The period asked for, with the names that people read."""

    period: Period
    before: Period
    """The period before it, whole: what the plot's second line shows."""
    before_so_far: Period
    """As much of `before` as has passed of `period`: what the figures are compared with."""
    title: str
    dates: str


async def resolve(deps: Dashboard, address: Address, period: str, timezone: str) -> Span:
    """What *address* means, with *period* for its period."""
    now = deps.clock()
    first_ms = await deps.store.first_event(address.site) if period == "all" else None
    found = date_range.resolve(_asked(address, period, timezone, now), timezone, now, first_ms)
    before = date_range.previous(found)
    passed = min(found.end, now) - found.start
    so_far = before
    if found.end > now:
        end = min(before.end, before.start + max(passed, 1))
        so_far = Period(before.start, end, timezone)
    dates = dates_of(found, now)
    return Span(found, before, so_far, PERIODS.get(period, dates), dates)


def _asked(address: Address, period: str, timezone: str, now: int) -> str | tuple[str, str]:
    today = local(now, timezone).date()
    if period == "custom":
        return address.start, address.end
    if period == "yesterday":
        yesterday = (today - timedelta(days=1)).isoformat()
        return yesterday, yesterday
    if period == "last_month":
        last = today.replace(day=1) - timedelta(days=1)
        return last.replace(day=1).isoformat(), last.isoformat()
    return period


def local(at_ms: int, timezone: str) -> datetime:
    """The moment on the site's clocks."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def dates_of(period: Period, now: int) -> str:
    """`24 Nov 2026`, or `18 – 24 Nov 2026`, with no more months and years than needed."""
    first = local(period.start, period.timezone).date()
    last = local(max(period.start, min(period.end, now + 1) - 1), period.timezone).date()
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
