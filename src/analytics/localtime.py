"""A time zone as integer arithmetic: the zone's offsets over a span, and buckets of local time.

The engine's own time zone table is never asked, so that a day begins at the same instant on
every machine: `zones` decides alone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from analytics import zones
from analytics.units import DAY_MS

_EPOCH: Final = date(1970, 1, 1)
# A zone changes its offset at most once in such a stretch; the shortest known pair of changes
# (a suspended summer time) lies weeks apart.
_STRIDE_MS: Final = 2 * DAY_MS
_EARLIEST: Final = -62_135_596_800_000 + 2 * DAY_MS
_HASHED: Final = (946_684_800_000, 2_145_916_800_000)  # 2000 to 2037
LATEST: Final = 253_402_300_799_999 - 2 * DAY_MS


class OffsetChange(NamedTuple):
    """From *since* (UTC ms) on, local time is UTC plus *offset_ms*."""

    since: int
    offset_ms: int


def offset_ms(timezone: str, at_ms: int) -> int:
    """Return how far the zone is ahead of UTC at that instant, in ms."""
    moment = datetime.fromtimestamp(min(max(at_ms, _EARLIEST), LATEST) / 1000, UTC)
    ahead = moment.astimezone(zones.zone(timezone)).utcoffset() or timedelta()
    return round(ahead.total_seconds() * 1000)


@lru_cache(1024)
def edition(timezone: str) -> str:
    """Return the zone with a hash of its offsets from 2000 to 2037.

    Cells that were built by the rules of another table of zones have another edition.
    """
    rules = repr(changes(timezone, *_HASHED)).encode()
    return f"{timezone} {blake2b(rules, digest_size=6).hexdigest()}"


def zone_of(edition: str) -> str:
    """Return the zone of an *edition*."""
    return edition.rpartition(" ")[0]


@lru_cache(256)
def changes(timezone: str, start: int, end: int) -> tuple[OffsetChange, ...]:
    """Return the zone's offsets over [start, end); the first holds from *start*."""
    offsets = [OffsetChange(start, offset_ms(timezone, start))]
    low = start
    while low < end:
        high = min(low + _STRIDE_MS, end)
        if offset_ms(timezone, high) != offsets[-1].offset_ms:
            offsets.append(_first_change(timezone, low, high))
        low = high
    return tuple(offsets)


def _first_change(timezone: str, low: int, high: int) -> OffsetChange:
    """Return the first change in (low, high], by bisection."""
    before = offset_ms(timezone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if offset_ms(timezone, middle) == before:
            low = middle
        else:
            high = middle
    return OffsetChange(high, offset_ms(timezone, high))


def day_of(timezone: str, at_ms: int) -> int:
    """Return the local day of an instant, in days since 1970-01-01."""
    return (at_ms + offset_ms(timezone, at_ms)) // DAY_MS


def day_start(timezone: str, day: int) -> int:
    """Return the first instant (UTC ms) of a local day, even if midnight is skipped or repeated."""
    midnight = datetime.combine(date_of(day), datetime.min.time(), zones.zone(timezone))
    instant = round(midnight.timestamp() * 1000)
    # In a gap, fold=0 reads the skipped midnight by the offset before it: a later local time of
    # the same day. The day then begins at the change itself.
    if day_of(timezone, instant - 1) == day:
        before = instant - DAY_MS
        for change in changes(timezone, before, instant)[1:]:
            if day_of(timezone, change.since) == day:
                return change.since
    return instant


def date_of(day: int) -> date:
    """Return the calendar date of a day number."""
    return _EPOCH + timedelta(days=day)


def day_number(day: date) -> int:
    """Return the day number of a calendar date."""
    return (day - _EPOCH).days


def is_day_start(timezone: str, at_ms: int) -> bool:
    """Return whether a local day begins at that instant."""
    return day_start(timezone, day_of(timezone, at_ms)) == at_ms
