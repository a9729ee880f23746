"""A limit on attempts to log in, so that passwords cannot be guessed in large numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from analytics.errors import TooMany
from analytics.limiter import Limiter, Senders


class Throttle:
    """Allows *burst* attempts at once, then one more every *refill_ms* milliseconds."""

    def __init__(
        self, clock: Callable[[], int], *, burst: int = 10, refill_ms: int = 15_000
    ) -> None:
        self._limiter = Limiter(1000 / refill_ms, burst, lambda: clock() / 1000)
        self._senders = Senders.of(1000 / refill_ms, burst, lambda: clock() / 1000)

    def take(self, name: str) -> None:
        """Use up one attempt of *name*. Raise `TooMany` if there is none left."""
        if wait := self._limiter.wait(name):
            raise _too_many(wait)

    def take_from(self, address: str, purpose: str) -> None:
        """Use up one attempt at *purpose* from the network of *address*. Raise as `take`."""
        if wait := self._senders.wait(address, purpose=f"{purpose} "):
            raise _too_many(wait)

    def give_back_to(self, address: str, purpose: str) -> None:
        """Return one attempt at *purpose* to the network of *address*, because it succeeded."""
        self._senders.give_back(address, purpose=f"{purpose} ")

    def give_back(self, name: str) -> None:
        """Return one attempt to *name*, because it succeeded."""
        self._limiter.give_back(name)

    def forgive(self, name: str) -> None:
        """Forget the attempts of *name*, because the last one succeeded."""
        self._limiter.forgive(name)


def _too_many(wait: float) -> TooMany:
    seconds = math.ceil(wait)
    return TooMany(f"Too many attempts. Try again in {seconds} seconds.", retry_after=wait)
