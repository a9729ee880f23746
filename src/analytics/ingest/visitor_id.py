"""The visitor id: 64 bits from a cookie, or from a hash that nobody can take back to a person."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from analytics.event import COOKIELESS, from_cookie, hash64, is_cookieless

__all__ = ["DAY_MS", "from_cookie", "hashed", "is_cookieless"]

DAY_MS: Final = 86_400_000


def salt_of_past_day(salt: bytes, day: int) -> bytes:
    """Return the salt of *day* that follows from *salt*, the one of all days long ago.

    So a visitor of two such days is two, as of any others, and nobody can tell once *salt* is gone.
    """
    return blake2b(day.to_bytes(8, "little"), key=salt, digest_size=len(salt)).digest()


def hashed(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """The visitor without a cookie; *salt* is that of the event's UTC day."""
    return hash64(site, address, user_agent, key=salt) | COOKIELESS
