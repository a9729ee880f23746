"""Hashes values into 64 bits, the same on every machine and in every version."""

from __future__ import annotations

from hashlib import blake2b


def hash64(*parts: str | bytes, key: bytes = b"") -> int:
    """Return an unsigned 64-bit hash of *parts*; their boundaries count, `("a", "b")` ≠ `("ab",)`.

    It is stored, and decides which partition holds an event: it must never change.
    """
    digest = blake2b(digest_size=8, key=key)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(4, "little") + raw)
    return int.from_bytes(digest.digest(), "little")
