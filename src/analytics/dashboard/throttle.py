"""A small token bucket per name, so that passwords cannot be guessed by the thousand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from analytics.errors import TooMany

MAX_NAMES: Final = 10_000


class Throttle:
    """Lets *burst* attempts through at once, then one more each *refill_ms*."""

    def __init__(
        self, clock: Callable[[], int], *, burst: int = 10, refill_ms: int = 15_000
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._refill_ms = refill_ms
        self._full_at: OrderedDict[str, int] = OrderedDict()
        """When each name's bucket will be full again."""

    def take(self, name: str) -> None:
        """Use up one attempt of *name*; raises `TooMany` when none is left."""
        now = self._clock()
        full_at = max(self._full_at.pop(name, now), now) + self._refill_ms
        wait = full_at - now - self._burst * self._refill_ms
        if wait > 0:
            self._full_at[name] = full_at - self._refill_ms
            seconds = -(-wait // 1000)
            raise TooMany(
                f"Too many attempts. Try again in {seconds} seconds.", retry_after=seconds
            )
        self._full_at[name] = full_at
        while len(self._full_at) > MAX_NAMES:
            self._full_at.popitem(last=False)

    def forgive(self, name: str) -> None:
        """Forget the attempts of *name*: the last one was right."""
        self._full_at.pop(name, None)
