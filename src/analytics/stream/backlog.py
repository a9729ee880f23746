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
    """What the log has still to get."""

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
        """The partition of the positions that it gives."""
        return self._mark.number

    @property
    def records(self) -> int:
        """How many there are."""
        return self.end - self._mark.drained

    @property
    def drained(self) -> int:
        """The log has everything before this offset."""
        return self._mark.drained

    @property
    def end(self) -> int:
        """The offset of the next record to be spooled."""
        return self._journal.next_offset

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        return self._journal.backlog_bytes

    @property
    def fault(self) -> str | None:
        """Why nothing can be added; None when it can."""
        return self._journal.fault

    def add(self, records: Sequence[LogRecord], ack: Ack) -> None:
        """Put *records* behind all others; *ack* is told when they are durable."""
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
        """Everything that the log has still to get, in order, for ever."""
        return self._journal.read(Position(0, self._mark.drained), limit=limit)

    async def sent(self, batch: Batch) -> None:
        """The log has *batch*, the first of what was left."""
        await asyncio.to_thread(self._mark.move, batch.end.offset)
        await self._journal.release(batch.end)
        async with self._moved:
            self._moved.notify_all()

    async def clear(self) -> None:
        """Keep nothing on this disk of what the log has; without room for a segment, later."""
        with suppress(LogUnavailable):
            await self._journal.seal()
        await self._journal.release(Position(0, self._mark.drained))

    async def gone(self, offset: int) -> None:
        """Return when the log has the record at *offset*."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._mark.drained > offset)
