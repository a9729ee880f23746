"""A limit on attempts to log in, so that passwords cannot be guessed by the thousand."""

from __future__ import annotations

import math
from collections.abc import Callable

from analytics.errors import TooMany
from analytics.limiter import Limiter


class Throttle:
    """Lets *burst* attempts through at once, then one more each *refill_ms*."""

    def __init__(
        self, clock: Callable[[], int], *, burst: int = 10, refill_ms: int = 15_000
    ) -> None:
        self._limiter = Limiter(1000 / refill_ms, burst, lambda: clock() / 1000)

    def take(self, name: str) -> None:
        """Use up one attempt of *name*; raises `TooMany` when none is left."""
        if wait := self._limiter.wait(name):
            seconds = math.ceil(wait)
            raise TooMany(f"Too many attempts. Try again in {seconds} seconds.", retry_after=wait)

    def give_back(self, name: str) -> None:
        """Return one attempt to *name*: it was right."""
        self._limiter.give_back(name)

    def forgive(self, name: str) -> None:
        """Forget the attempts of *name*: the last one was right."""
        self._limiter.forgive(name)
