"""Passwords: hashed with argon2id, compared in equal time."""

from __future__ import annotations

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from analytics.errors import Malformed

MIN_CHARS: Final = 8
MAX_CHARS: Final = 1024
AT_ONCE: Final = 2
"""Each hash takes 64 MiB while it runs: a wave of log-ins must not take all the memory."""

# RFC 9106's second recommended option, spelled out, so that `NOBODY` keeps costing the same.
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$qEY9X74z2WYIS3eV9HAOzQ$"
    "vQwLPmSh2iNx4n4KXX5Z5aieMpZeGHvzmN1JL+S7LXY"
)
"""The hash of a password that nobody has, to spend equal time on an unknown email."""


class Passwords:
    """Hashes in threads, a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hashed(self, password: str) -> str:
        """What may be stored in place of *password*. Raises `Malformed` when it is too short."""
        if not MIN_CHARS <= len(password) <= MAX_CHARS:
            raise Malformed("password", f"give {MIN_CHARS} to {MAX_CHARS} characters")
        async with self._turn:
            return await asyncio.to_thread(HASHER.hash, password)

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether *password* is the one behind *stored*; as slow when there is nothing stored."""
        async with self._turn:
            same = await asyncio.to_thread(_verified, stored or NOBODY, password[: MAX_CHARS + 1])
        return same and stored is not None


def _verified(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except VerificationError:
        return False
