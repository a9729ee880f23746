"""A rate limit per address, kept in memory: the generic cell rate algorithm.

Each address owes time: every request adds 1/rate seconds to what it owes, and is refused while
the debt is more than the burst allows. The addresses are forgotten as their debts run out.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Limiter:
    """Admits *per_second* requests of one address, and *burst* at once. 0 admits everything."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cost = 1 / per_second if per_second else 0.0
        # A millionth more, for what sums of floating-point numbers are off.
        self._tolerance = self._cost * (burst - 1 + 1e-6)
        self._clock = clock
        self._due: dict[str, float] = {}
        self._keys = 100_000

    def admits(self, address: str) -> bool:
        """Whether one more request of *address* is within the limit. Loopback has none."""
        if not self._cost or address.startswith("127.") or address == "::1":
            return True
        now = self._clock()
        due = max(self._due.get(address, 0.0), now)
        if due - now > self._tolerance:
            return False
        if len(self._due) >= self._keys:
            self._forget(now)
        self._due[address] = due + self._cost
        return True

    def _forget(self, now: float) -> None:
        self._due = {address: due for address, due in self._due.items() if due > now}
        if len(self._due) >= self._keys:
            # A flood from more addresses than we remember: start again rather than grow.
            self._due = {}
