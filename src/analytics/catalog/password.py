"""Passwords: hashed with argon2id, compared in equal time, and few at a time.

A hash takes a tenth of a second and 64 MiB. Strangers to an account, who may be any number, have a
lane of their own, so that its people never wait behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from analytics.catalog import password_rules
from analytics.errors import TooMany

T = TypeVar("T")

_LONGEST_CHARS: Final = 1024
"""Of a password that is tried: as long as the ones of older versions could be."""
_AT_HOME: Final = 32
"""Hashes of people who are at home that may wait: three seconds' worth of them."""
_STRANGERS: Final = 200
"""Hashes of strangers that may wait: twenty seconds' worth of them."""
_SOON_S: Final = 3.0

# RFC 9106's second recommended option, spelled out, so that `NOBODY` keeps costing the same.
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$qEY9X74z2WYIS3eV9HAOzQ$"
    "vQwLPmSh2iNx4n4KXX5Z5aieMpZeGHvzmN1JL+S7LXY"
)
"""The hash of a password that nobody has, to spend equal time on an unknown email."""


class Passwords:
    """Hashes in threads, one of each lane at a time."""

    def __init__(self) -> None:
        self._at_home = _Lane(_AT_HOME)
        self._strangers = _Lane(_STRANGERS)

    async def hashed(self, password: str, email: str) -> str:
        """What may be stored in place of *password* for the account of *email*.

        Raises `Malformed` when it is no good, `TooMany` when too many wait.
        """
        await asyncio.to_thread(password_rules.check, password, email)
        return await self._at_home.run(lambda: HASHER.hash(password))

    async def fits(self, password: str, stored: str | None, *, at_home: bool = True) -> bool:
        """Whether *password* is the one behind *stored*; as slow when there is nothing stored.

        Raises `TooMany`, before it hashes anything, when too many wait: of strangers, unless who
        asks is *at_home* with the account.
        """
        lane = self._at_home if at_home else self._strangers
        same = await lane.run(lambda: _verified(stored or NOBODY, password[: _LONGEST_CHARS + 1]))
        return same and stored is not None


class _Lane:
    """One hash at a time, first come, first served, with a bound on who waits."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise TooMany(
                "Many people log in at this moment. Try again in a moment.", retry_after=_SOON_S
            )
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            return await asyncio.to_thread(work)
        finally:
            self._turn.release()


def _verified(stored: str, password: str) -> bool:
    try:
        return HASHER.verify(stored, password)
    except VerificationError:
        return False
