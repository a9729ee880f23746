"""The visitor id: 64 bits from a cookie, or from a hash that nobody can take back to a person."""

from __future__ import annotations

from typing import Final

from analytics.event import hash64

DAY_MS: Final = 86_400_000
# The highest bit tells the two kinds apart: a cookieless visitor of another day is another
# number, so that uniques of several days count visitor-days, and the figures can say so.
_COOKIELESS: Final = 1 << 63


def from_cookie(site: str, vid: str) -> int:
    """The visitor whose cookie says *vid*. Of no use on another site."""
    return hash64(site, vid) & ~_COOKIELESS


def hashed(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """The visitor without a cookie; *salt* is that of the event's UTC day."""
    return hash64(site, address, user_agent, key=salt) | _COOKIELESS


def is_cookieless(visitor: int) -> bool:
    """Whether *visitor* is good for one day only."""
    return bool(visitor & _COOKIELESS)
