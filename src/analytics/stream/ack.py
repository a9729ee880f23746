"""What a sender waits for while there is more than one way to make its records durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from analytics.stream.base import Position

Appended = asyncio.Future[Sequence[Position]]


class Ack:
    """What a sender waits for; it fails when its last chance has."""

    __slots__ = ("chances", "future")

    def __init__(self, future: Appended) -> None:
        self.future = future
        self.chances = 1

    def succeeded(self, positions: Sequence[Position]) -> None:
        """It is durable, for the first time or once more."""
        if not self.future.done():
            self.future.set_result(positions)

    def failed(self, error: BaseException) -> None:
        """One of its chances is gone."""
        self.chances -= 1
        if self.chances == 0 and not self.future.done():
            self.future.set_exception(error)
