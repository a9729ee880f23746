"""Computes visitor ids: 64 bits, from a cookie or from a salted hash of address and user agent."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from analytics.stable_hash import hash64

COOKIELESS: Final = 1 << 63
"""The highest bit of an id, set for visitors without a cookie. Their id lasts one day: the uniques
of several days count visitor-days, and this bit lets the figures say so."""


def from_cookie(site: str, vid: str) -> int:
    """Return the id of the visitor of *site* whose cookie is *vid*; other sites give another id.

    It is `hash64(site, vid)` without its highest bit; the site's part is hashed once and kept.
    """
    digest = _site_digest(site).copy()
    raw = vid.encode("utf-8", "surrogatepass")
    digest.update(len(raw).to_bytes(4, "little") + raw)
    return int.from_bytes(digest.digest(), "little") & ~COOKIELESS


@lru_cache(maxsize=1024)
def _site_digest(site: str) -> blake2b:
    raw = site.encode("utf-8", "surrogatepass")
    return blake2b(len(raw).to_bytes(4, "little") + raw, digest_size=8)


def hashed(salt: bytes, site: str, address: str, user_agent: str) -> int:
    """Return the id of a visitor without a cookie; *salt* is that of the event's UTC day."""
    return hash64(site, address, user_agent, key=salt) | COOKIELESS


def is_cookieless(visitor: int) -> bool:
    """Return whether the id *visitor* was made without a cookie, and so lasts one day."""
    return visitor >= COOKIELESS


def salt_of_past_day(salt: bytes, day: int) -> bytes:
    """Return the salt of *day* that follows from *salt*, the one of all days long ago.

    A visitor without a cookie has a different id on each day; once *salt* is deleted, the ids can
    no longer be linked.
    """
    return blake2b(day.to_bytes(8, "little"), key=salt, digest_size=len(salt)).digest()
