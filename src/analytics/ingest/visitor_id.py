"""Computes visitor ids: 64 bits, from a cookie or from a salted hash of address and user agent."""

from __future__ import annotations

from hashlib import blake2b

from analytics.event import COOKIELESS, from_cookie, hash64, is_cookieless
from analytics.units import DAY_MS

__all__ = ["DAY_MS", "from_cookie", "hashed", "is_cookieless"]


def salt_of_past_day(salt: bytes, day: int) -> bytes:
    """Return the salt of *day* that follows from *salt*, the one of all days long ago.

    A visitor without a cookie has a different id on each day; once *salt* is deleted, the ids can
    no longer be linked.
    """
    return blake2b(day.to_bytes(8, "little"), key=salt, digest_size=len(salt)).digest()


def hashed(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """Return the id of a visitor without a cookie; *salt* is that of the event's UTC day."""
    return hash64(site, address, user_agent, key=salt) | COOKIELESS
