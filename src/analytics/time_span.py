"""Parses a span of time from its two ends: dates of the site, or exact instants."""

from __future__ import annotations

from typing import Final

from analytics import localtime, parsing
from analytics.errors import Malformed

ALWAYS: Final = (0, 1 << 62)


def of(start: str | None, end: str | None, zone: str) -> tuple[int, int]:
    """Return [start, end) in UTC milliseconds; an end that is left out is open.

    A date means the whole day in *zone*, as an end too: it includes that day. A moment without an
    offset is in *zone*; as an end it is exclusive. Raises `Malformed`.
    """
    first = ALWAYS[0] if start is None else _moment("from", start, zone)
    last = ALWAYS[1] if end is None else _moment("to", end, zone, end_of_day=True)
    # A day that ends where the span begins lies before it; a span between equal moments is empty.
    if first > last or (first == last and end is not None and parsing.is_date(end)):
        raise Malformed("to", f"{end} lies before {start}")
    return first, last


def _moment(field: str, text: str, zone: str, *, end_of_day: bool = False) -> int:
    if not parsing.is_date(text):
        return parsing.moment(text, field, zone)
    day = localtime.day_number(parsing.day(text, field))
    return localtime.day_start(zone, day + 1 if end_of_day else day)
