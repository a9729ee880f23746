"""Passwords: hashed with argon2id, compared in equal time, and few at a time.

A hash takes a tenth of a second and 64 MiB. Strangers to an account, of whom there may be any
number, have a queue of their own, so that account holders never wait behind them.
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
"""The longest password that is tried; older versions allowed as many characters."""
_AT_HOME: Final = 32
"""The most hashes of account holders that may wait: about three seconds of work."""
_STRANGERS: Final = 200
"""The most hashes of strangers that may wait: about twenty seconds of work."""
_SOON_S: Final = 3.0

# RFC 9106's second recommended option, spelled out, so that `NOBODY` keeps costing the same.
HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$qEY9X74z2WYIS3eV9HAOzQ$"
    "vQwLPmSh2iNx4n4KXX5Z5aieMpZeGHvzmN1JL+S7LXY"
)
"""A hash that no password matches, to spend equal time on an unknown email."""


class Passwords:
    """Hashes passwords in threads, one of each queue at a time."""

    def __init__(self) -> None:
        self._at_home = _HashQueue(_AT_HOME)
        self._strangers = _HashQueue(_STRANGERS)

    async def hashed(self, password: str, email: str) -> str:
        """Return the hash to store for *password* of the account of *email*.

        Raise `Malformed` if the password is not allowed, `TooMany` if too many are waiting.
        """
        await asyncio.to_thread(password_rules.check, password, email)
        return await self._at_home.run(lambda: HASHER.hash(password))

    async def fits(self, password: str, stored: str | None, *, at_home: bool = True) -> bool:
        """Return True if *stored* is the hash of *password*; None takes as long as a wrong one.

        *at_home* as in `People.log_in`. Raise `TooMany`, before hashing anything, if too many are
        waiting in the same queue.
        """
        queue = self._at_home if at_home else self._strangers
        same = await queue.run(lambda: _verified(stored or NOBODY, password[: _LONGEST_CHARS + 1]))
        return same and stored is not None


class _HashQueue:
    """A queue that runs one hash at a time, in order, with a limit on how many may wait."""

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
