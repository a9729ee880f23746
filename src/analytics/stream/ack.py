"""The outcome of an append that may succeed in more than one way."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.errors import LogUnavailable
from analytics.stream.base import Appending, Position


class Ack:
    """The outcome of an append that the log or the spool may satisfy. It fails when all have."""

    __slots__ = ("appending", "chances")

    def __init__(self) -> None:
        self.appending = Appending(())
        self.chances = 1

    def succeeded(self, positions: Sequence[Position]) -> None:
        """Record that one way succeeded; only the first success counts."""
        if not self.appending.ended:
            self.appending.positions = positions
            self.appending.end()

    def failed(self, error: LogUnavailable) -> None:
        """Record that one way failed. After the last, the append fails with *error*."""
        self.chances -= 1
        if self.chances == 0 and not self.appending.ended:
            self.appending.end(error)
