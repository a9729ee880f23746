"""Spooled records: a journal, with a mark before which the log has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from analytics.errors import LogUnavailable
from analytics.event import LogRecord
from analytics.stream.ack import Ack
from analytics.stream.base import Appending, Batch, Position
from analytics.stream.journal import Journal, JournalLimits
from analytics.stream.spool_mark import Mark


class Backlog:
    """The spooled records that have not been sent to the log yet."""

    def __init__(self, folder: Path, limits: JournalLimits | None) -> None:
        self._journal = Journal(folder, limits)
        self._mark = Mark(folder)
        self._moved = asyncio.Condition()
        self.writing = 0
        """Appends whose records are not on the disk yet."""

    async def __aenter__(self) -> Self:
        await self._journal.__aenter__()
        (oldest, end), *_ = await self._journal.ends()
        await asyncio.to_thread(self._mark.load, oldest.offset, end.offset)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._journal.__aexit__(*exc_info)

    @property
    def number(self) -> int:
        """Return the partition in the positions of spooled records."""
        return self._mark.number

    @property
    def records(self) -> int:
        """Return the number of records not sent yet."""
        return self.end - self._mark.drained

    @property
    def drained(self) -> int:
        """Return the offset of the first record that the log does not have."""
        return self._mark.drained

    @property
    def end(self) -> int:
        """Return the offset of the next record to be spooled."""
        return self._journal.next_offset

    @property
    def bytes(self) -> int:
        """Return the bytes on disk."""
        return self._journal.backlog_bytes

    @property
    def fault(self) -> str | None:
        """Return why records cannot be added; None when they can."""
        return self._journal.fault

    def add(self, records: Sequence[LogRecord], ack: Ack) -> None:
        """Append *records*, and complete *ack* when they are durable."""
        try:
            appended = self._journal.append(records)
        except LogUnavailable as exc:
            ack.failed(exc)
            return
        self.writing += 1
        appended.then(partial(self._added, ack))

    def _added(self, ack: Ack, appended: Appending) -> None:
        self.writing -= 1
        error = appended.error
        if error is not None:
            ack.failed(error)
        else:
            ack.succeeded([Position(self.number, place.offset) for place in appended.positions])

    def read(self, *, limit: int) -> AsyncGenerator[Batch, None]:
        """Yield the records not sent yet, in order, without end."""
        return self._journal.read(Position(0, self._mark.drained), limit=limit)

    async def sent(self, batch: Batch) -> None:
        """Mark *batch*, the first that was left, as sent to the log."""
        await asyncio.to_thread(self._mark.move, batch.end.offset)
        await self._journal.release(batch.end)
        async with self._moved:
            self._moved.notify_all()

    async def clear(self) -> None:
        """Delete from disk what the log has; without room for a new segment, that happens later."""
        with suppress(LogUnavailable):
            await self._journal.seal()
        await self._journal.release(Position(0, self._mark.drained))

    async def gone(self, offset: int) -> None:
        """Return when the log has the record at *offset*."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._mark.drained > offset)
