"""Limits on the number of open streams: in total, of one site, and of one reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final

from analytics import bounds
from analytics.errors import TooMany

_RETRY_S: Final = 60.0


class StreamLimits:
    """Counts the streams that are open."""

    def __init__(
        self,
        altogether: int,
        *,
        of_site: int = bounds.STREAMS_OF_SITE,
        of_reader: int = bounds.STREAMS_OF_READER,
    ) -> None:
        self._altogether = altogether
        self._of_site = of_site
        self._of_reader = of_reader
        self._open: Counter[Hashable] = Counter()

    def take(self, site: str, reader: Hashable) -> Callable[[], None]:
        """Take a place for *reader* on *site* and return a function that gives it back.

        Raise `TooMany` if there is no place left.
        """
        places = {
            ("all",): self._altogether,
            ("site", site): self._of_site,
            ("reader", reader): self._of_reader,
        }
        if any(self._open[place] >= most for place, most in places.items()):
            self._forget(places)
            raise TooMany(
                "too many pages show live figures now; reload this one to see those of now",
                retry_after=_RETRY_S,
            )
        self._open.update(places.keys())
        taken = [True]

        def give_back() -> None:
            if taken:
                taken.clear()
                self._open.subtract(places.keys())
                self._forget(places)

        return give_back

    def _forget(self, places: dict[tuple[Hashable, ...], int]) -> None:
        """Drop the counters of *places* that are zero."""
        for place in places:
            if self._open[place] <= 0:
                del self._open[place]
