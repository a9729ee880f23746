"""Rate limits per address and per key, kept in memory: the generic cell rate algorithm.

Each name owes time: every request adds 1/rate seconds to what it owes, and is refused while
the debt is more than the burst allows. Names are forgotten as their debts run out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from analytics.errors import TooMany
from analytics.person import Key


class Limiter:
    """Admits *per_second* requests of one name, and *burst* at once. 0 admits everything."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cost = 1 / per_second if per_second else 0.0
        # A millionth more, for what sums of floating-point numbers are off.
        self._tolerance = self._cost * (burst - 1 + 1e-6)
        self._clock = clock
        self._due: dict[str, float] = {}
        self._names = 100_000

    def wait(self, name: str) -> float:
        """Count one more request of *name*: 0.0, or how many seconds it is too early."""
        if not self._cost:
            return 0.0
        now = self._clock()
        due = max(self._due.get(name, 0.0), now)
        early = due - now - self._tolerance
        if early > 0:
            return early
        if len(self._due) >= self._names:
            self._forget(now)
        self._due[name] = due + self._cost
        return 0.0

    def _forget(self, now: float) -> None:
        self._due = {name: due for name, due in self._due.items() if due > now}
        if len(self._due) >= self._names:
            # A flood under more names than we remember: start again rather than grow.
            self._due = {}


class Limits:
    """One limit for each address and one for each key. This machine has none."""

    def __init__(self, address: Limiter, key: Limiter) -> None:
        self._address = address
        self._key = key

    def check_address(self, address: str) -> None:
        """Count a request from *address*. Raises `TooMany`."""
        if not local(address) and (wait := self._address.wait(address)):
            raise TooMany("too many requests from your address; slow down", retry_after=wait)

    def check_key(self, key: Key, address: str) -> None:
        """Count a request with *key*, from *address*. Raises `TooMany`."""
        if not local(address) and (wait := self._key.wait(key.id)):
            raise TooMany("too many requests with this key; slow down", retry_after=wait)


def local(address: str) -> bool:
    """Whether it is this machine."""
    return address.startswith("127.") or address == "::1"
