"""What an operation works with besides the data: its input, and whom it tells how far it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """How far an operation is; *total* 0 when nobody knows."""

    done: int
    total: int
    label: str


Report = Callable[[Progress], None]


async def nothing() -> AsyncIterator[bytes]:
    """An empty input."""
    return
    yield b""


def _unheard(_: Progress) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class OperationContext:
    """One run of one operation."""

    input: AsyncIterator[bytes] = field(default_factory=nothing)
    """The bytes that the operation reads, if it is one that reads."""
    report: Report = _unheard

    def share(self, done: float) -> None:
        """Report that so much of the work is done, from 0 to 1."""
        self.report(Progress(round(done * 100), 100, ""))
