"""A date range as people and the Stats API name it, in a site's time zone.

`7d` and the like end yesterday, `6mo` and `12mo` with the last whole month; `month`, `year` and
`all` end today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, cast

from analytics import localtime, parsing, zones
from analytics.errors import Malformed
from analytics.query import Period
from analytics.units import HOUR_MS

_FIELD: Final = "date_range"
CHOICES: Final = (
    "choose day, 24h, 7d (or another number of days), month, 6mo (or another number of months),"
    " year or all"
)
_DAYS: Final = re.compile("([0-9]{1,4})d")
_MONTHS: Final = re.compile("([0-9]{1,3})mo")
WORDS: Final = f"day|24h|month|year|all|{_DAYS.pattern}|{_MONTHS.pattern}"
"""The pattern of what a range may be called."""


def resolve(named: object, timezone: str, now: int, first_event: int | None = None) -> Period:
    """Return the period that *named* describes: a word, or two ISO dates or datetimes, inclusive.

    *first_event* is where `all` begins. Raises `Malformed`.
    """
    if isinstance(named, str):
        return _named(named, timezone, now, first_event)
    if isinstance(named, Sequence) and len(named) == 2:
        first, last = named
        if isinstance(first, str) and isinstance(last, str):
            return _between(first, last, timezone)
    raise Malformed(
        _FIELD, 'name a range such as "7d", or give two dates: ["2026-01-01", "2026-01-31"]'
    )


def calendar(name: str, within: date, timezone: str) -> Period | None:
    """The whole `day`, `month` or `year` that *within* falls into; `6mo` and `12mo` with the
    months before. None for another *name*."""
    month = within.replace(day=1)
    match name:
        case "day":
            return _days(within, within + timedelta(1), timezone)
        case "month":
            return _days(month, _months_back(month, -1), timezone)
        case "6mo" | "12mo":
            months = int(name.removesuffix("mo"))
            return _days(_months_back(month, months - 1), _months_back(month, -1), timezone)
        case "year":
            return _days(date(within.year, 1, 1), date(within.year + 1, 1, 1), timezone)
    return None


class Comparison(StrEnum):
    """The period with which another is compared."""

    PREVIOUS_PERIOD = "previous_period"
    YEAR_OVER_YEAR = "year_over_year"
    CUSTOM = "custom"


def earlier(period: Period, mode: Comparison, *, same_weekday: bool = False) -> Period:
    """Return the previous period, or that of the same dates a year before.

    With *same_weekday*, it is moved by three days at most (seven where it would overlap) so that it
    begins with the same day of the week.
    """
    if mode is Comparison.YEAR_OVER_YEAR:
        compared = _moved(period, _a_year_before)
    else:
        compared = previous(period)
    if not same_weekday:
        return compared
    zone = period.timezone
    first, other = localtime.day_of(zone, period.start), localtime.day_of(zone, compared.start)
    days = (first - other + 3) % 7 - 3
    if _moved(compared, lambda day: day + timedelta(days)).end > period.start:
        days -= 7
    return _moved(compared, lambda day: day + timedelta(days))


def _a_year_before(day: date) -> date:
    if (day.month, day.day) == (2, 29):
        return date(day.year - 1, 2, 28)
    return day.replace(year=day.year - 1)


def _moved(period: Period, move: Callable[[date], date]) -> Period:
    """Return *period* with its ends on the days to which *move* brings theirs."""
    zone = period.timezone

    def moved(at: int) -> int:
        then = local(at, zone).replace(tzinfo=None)
        if localtime.is_day_start(zone, at):
            return localtime.day_start(zone, localtime.day_number(move(then.date())))
        target = datetime.combine(move(then.date()), then.time(), zones.zone(zone))
        return round(target.timestamp() * 1000)

    start = moved(period.start)
    return Period(start, max(moved(period.end), start + 1), zone)


def previous(period: Period) -> Period:
    """Return the period of equal length right before: counted in days if it is whole days."""
    zone = period.timezone
    if not (
        localtime.is_day_start(zone, period.start) and localtime.is_day_start(zone, period.end)
    ):
        return Period(2 * period.start - period.end, period.start, zone)
    first, end = localtime.day_of(zone, period.start), localtime.day_of(zone, period.end)
    return Period(localtime.day_start(zone, 2 * first - end), period.start, zone)


def local(at_ms: int, timezone: str) -> datetime:
    """Return the local time of an instant."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zones.zone(timezone))


def _named(named: str, timezone: str, now: int, first_event: int | None) -> Period:
    today = localtime.date_of(localtime.day_of(timezone, now))
    tomorrow = today + timedelta(1)
    if named == "24h":
        return Period(now - 24 * HOUR_MS, now, timezone)
    if days := _DAYS.fullmatch(named):
        return _days(_back(today, int(days[1])), today, timezone)
    if months := _MONTHS.fullmatch(named):
        if not int(months[1]):
            raise Malformed(_FIELD, "ask for at least one month")
        return _days(_months_back(today, int(months[1])), today.replace(day=1), timezone)
    match named:
        case "day":
            return _days(today, tomorrow, timezone)
        case "month":
            return _days(today.replace(day=1), tomorrow, timezone)
        case "year":
            return _days(today.replace(month=1, day=1), tomorrow, timezone)
        case "all":
            since = now if first_event is None else min(first_event, now)
            first = localtime.date_of(localtime.day_of(timezone, since))
            return _days(first, tomorrow, timezone)
    raise Malformed(_FIELD, f"there is no range {named[:40]!r}; {CHOICES}")


def _back(today: date, days: int) -> date:
    if days < 1:
        raise Malformed(_FIELD, "ask for at least one day")
    return today - timedelta(days)


def _months_back(today: date, months: int) -> date:
    """Return the first day of the month that is *months* before that of *today*."""
    whole = today.year * 12 + today.month - 1 - months
    return date(whole // 12, whole % 12 + 1, 1)


def _days(first: date, end: date, timezone: str) -> Period:
    """Return the period of the days [first, end)."""
    start, finish = localtime.day_number(first), localtime.day_number(end)
    return Period(
        localtime.day_start(timezone, start), localtime.day_start(timezone, finish), timezone
    )


def _between(first: str, last: str, timezone: str) -> Period:
    start, end = _start(first, timezone), _end(last, timezone)
    if start >= end:
        raise Malformed(_FIELD, "the first date is after the last")
    return Period(start, end, timezone)


def _start(first: str, timezone: str) -> int:
    if parsing.is_date(first):
        return localtime.day_start(timezone, localtime.day_number(parsing.day(first, _FIELD)))
    return parsing.moment(first, _FIELD, timezone)


def _end(last: str, timezone: str) -> int:
    """Return the first instant after *last*: after the whole day, or the next millisecond."""
    if parsing.is_date(last):
        return localtime.day_start(timezone, localtime.day_number(parsing.day(last, _FIELD)) + 1)
    return parsing.moment(last, _FIELD, timezone) + 1


def describe(period: Period) -> tuple[str, str]:
    """Return the first and the last local time that the period includes, to the second."""
    first, last = (local(at, period.timezone) for at in (period.start, period.end - 1))
    return cast("tuple[str, str]", tuple(m.isoformat(timespec="seconds") for m in (first, last)))
