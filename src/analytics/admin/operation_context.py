"""The input and the progress reports of a running operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """The progress of an operation; *total* is 0 if unknown."""

    done: int
    total: int
    label: str


Report = Callable[[Progress], None]


async def nothing() -> AsyncIterator[bytes]:
    """Yield nothing: an empty input."""
    return
    yield b""


def _ignore(_: Progress) -> None:
    """Ignore the report."""


@dataclass(frozen=True, kw_only=True)
class OperationContext:
    """One run of one operation."""

    input: AsyncIterator[bytes] = field(default_factory=nothing)
    """The bytes that the operation reads, if `Operation.reads`."""
    report: Report = _ignore

    def share(self, done: float) -> None:
        """Report the fraction of the work that is done, from 0 to 1."""
        self.report(Progress(round(done * 100), 100, ""))
