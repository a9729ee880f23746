"""The visitor id: 64 bits from a cookie, or from a hash that nobody can take back to a person."""

from __future__ import annotations

from typing import Final

from analytics.event import COOKIELESS, from_cookie, hash64, is_cookieless

__all__ = ["DAY_MS", "from_cookie", "hashed", "is_cookieless"]

DAY_MS: Final = 86_400_000


def hashed(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """The visitor without a cookie; *salt* is that of the event's UTC day."""
    return hash64(site, address, user_agent, key=salt) | COOKIELESS
