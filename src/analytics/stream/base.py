"""What a durable event log must do."""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, Self

from analytics.event import LogRecord


class Position(NamedTuple):
    """A place in the log: *offset* counts records in *partition*, densely, from 0."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"


class Batch(NamedTuple):
    """Consecutive records of one partition.

    *records* are raw payloads, for `stream.record.decode`; the first lies at *start*.
    """

    start: Position
    records: Sequence[bytes]

    @property
    def end(self) -> Position:
        """Where the next record will be read."""
        return Position(self.start.partition, self.start.offset + len(self.records))


class EventLog(AbstractAsyncContextManager["EventLog"], Protocol):
    """An ordered, durable, replayable log of hits and counted drops.

    Opening and closing is `async with`: an instance outside the block holds no resource.
    """

    def append(self, records: Sequence[LogRecord]) -> Future[Sequence[Position]]:
        """Begin to append; the future ends, when every record survives a crash of this process,
        with where each one lies.

        It fails with `LogUnavailable` when that cannot be promised; a retry may then append a
        record a second time, which deduplication undoes. Cancelling it takes nothing back.
        """

    def read(self, start: Position, *, limit: int) -> AsyncIterator[Batch]:
        """Yield batches of at most *limit* records from *start* on, in order, for ever.

        Waits when it has reached the end. Raises `Corrupt` where stored bytes are damaged.
        """

    async def release(self, before: Position) -> None:
        """Nobody will read what lies before this position again: it may be deleted."""

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """For each partition, the oldest position that can be read and the next one written."""

    async def __aenter__(self) -> Self: ...
