"""The interface of a durable event log."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol, Self

from analytics import parsing
from analytics.errors import LogUnavailable, Malformed
from analytics.event import LogRecord


class Position(NamedTuple):
    """A position in the log: *offset* counts records in *partition*, densely, from 0."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, receipt: str) -> Self:
        """Return the position that a sender was given as *receipt*. Raises `Malformed`."""
        partition, _, offset = receipt.strip().partition("-")
        numbers = parsing.digits(partition), parsing.digits(offset)
        if numbers[0] is None or numbers[1] is None:
            raise Malformed("wait", f"{receipt[:40]!r} is not a receipt")
        return cls(numbers[0], numbers[1])


def unknown_receipt() -> Malformed:
    """Return the error for a receipt at whose position nothing was appended."""
    return Malformed("wait", "this receipt is not from here: nothing was appended there")


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


class Appending:
    """Records on their way into the log: await it, or say with `then` what is to follow.

    Both end when every record survives a crash of this process. A request needs no task of its
    own to wait so: that is what makes it worth a class beside `Future`.
    """

    __slots__ = ("_then", "ended", "error", "positions")

    def __init__(self, positions: Sequence[Position]) -> None:
        self.positions = positions
        """Where each record lies, once it is durable."""
        self.error: LogUnavailable | None = None
        self.ended = False
        self._then: Callable[[Appending], None] | None = None

    def then(self, callback: Callable[[Appending], None]) -> None:
        """Call *callback* on the event loop when it has ended, or now if it has; it looks at
        `error` first."""
        if self.ended:
            callback(self)
        else:
            self._then = callback

    def end(self, error: LogUnavailable | None = None) -> None:
        """For the log: all is durable, or nothing of it was kept."""
        self.error = error
        self.ended = True
        if self._then is not None:
            self._then(self)

    def __await__(self) -> Generator[Any, None, Sequence[Position]]:
        ended: Future[None] = get_running_loop().create_future()
        self.then(lambda _: None if ended.done() else ended.set_result(None))
        yield from ended
        if self.error is not None:
            raise self.error
        return self.positions


class EventLog(AbstractAsyncContextManager["EventLog"], Protocol):
    """An ordered, durable, replayable log of hits and counted drops.

    Opening and closing is `async with`: an instance outside the block holds no resource.
    """

    def append(self, records: Sequence[LogRecord]) -> Appending:
        """Begin to append *records*; what comes back ends when all of them are durable.

        It ends with `LogUnavailable`, or raises it at once, when that cannot be promised; a
        retry may then append a record a second time, which deduplication undoes. Who stops
        waiting takes nothing back.
        """

    def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        """Yield batches of at most *limit* records from *start* on, in order, without end.

        Waits when it has reached the end. Raises `Corrupt` where stored bytes are damaged. Who
        leaves before that closes it (`aclosing`).
        """

    async def release(self, before: Position) -> None:
        """Allow deletion of the records before this position; they will not be read again."""

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """For each partition, the oldest position that can be read and the next one written."""

    async def __aenter__(self) -> Self: ...
