"""What a sender waits for while there is more than one way to make its records durable."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.errors import LogUnavailable
from analytics.stream.base import Appending, Position


class Ack:
    """What a sender waits for; it fails when its last chance has."""

    __slots__ = ("appending", "chances")

    def __init__(self) -> None:
        self.appending = Appending(())
        self.chances = 1

    def succeeded(self, positions: Sequence[Position]) -> None:
        """It is durable, for the first time or once more."""
        if not self.appending.ended:
            self.appending.positions = positions
            self.appending.end()

    def failed(self, error: LogUnavailable) -> None:
        """One of its chances is gone."""
        self.chances -= 1
        if self.chances == 0 and not self.appending.ended:
            self.appending.end(error)
