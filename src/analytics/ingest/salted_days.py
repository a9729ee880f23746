"""The days that have a salt for the ids of visitors without a cookie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics.units import DAY_MS

MAX_AGE_MS: Final = 72 * 3_600_000
"""The greatest age of an event without a key."""
_AHEAD_DAYS: Final = 2
"""Salts are made this many days ahead, which is how long the catalog may be unavailable."""
PAST: Final = -1
"""Stands for all days before those with a salt of their own: they share one."""


def salts_needed(today: int) -> Sequence[int]:
    """Return the days whose salts an event without a cookie may need, now or soon.

    Days are counted from 1970, UTC. `PAST` is among them, so the list is complete however old the
    events of a sender with a key are.
    """
    return (PAST, *range(first_salted(today), today + _AHEAD_DAYS + 1))


def first_salted(today: int) -> int:
    """Return the first day with a salt of its own: events without a key reach back to it."""
    return today - -(-MAX_AGE_MS // DAY_MS)
