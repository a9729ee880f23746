"""A span of time as an administrator writes its ends: dates of the site, or exact moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from analytics import zones
from analytics.errors import Malformed

ALWAYS: Final = (0, 1 << 62)


def of(start: str | None, end: str | None, zone: str) -> tuple[int, int]:
    """[from, to) in UTC milliseconds; an end that is left out is open.

    A date means the whole day in *zone*, as an end too: it includes that day. A moment without
    an offset is in *zone*; as an end it is exclusive. Raises `Malformed`.
    """
    first = ALWAYS[0] if start is None else _moment("from", start, zone)
    last = ALWAYS[1] if end is None else _moment("to", end, zone, end_of_day=True)
    if first > last:
        raise Malformed("to", f"{end} lies before {start}")
    return first, last


def _moment(field: str, text: str, zone: str, *, end_of_day: bool = False) -> int:
    try:
        if len(text) == len("2026-11-24"):
            day = date.fromisoformat(text) + timedelta(days=1 if end_of_day else 0)
            at = datetime.combine(day, time(), zones.zone(zone))
        else:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo else at.replace(tzinfo=zones.zone(zone))
        since_1970 = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Malformed(
            field, f"{text!r} is neither a date such as 2026-11-24 nor a moment in ISO 8601"
        ) from None
    return since_1970 // timedelta(milliseconds=1)
