"""The embedded event log: append-only segments on the local disk, synced in groups.

Records that arrive while a group is being synced form the next one, so that many requests share
one write and one sync. Acknowledged records survive a crash of the process and of the machine. If
the disk refuses a write, the whole group fails with `LogUnavailable` and the next one tries again.

A disk that syncs within half a millisecond is waited for on the event loop: to hand the group to
a thread and back costs more than the wait, because the thread needs the interpreter's lock each
way (docs/performance.md). A slower disk is waited for in a thread, until it is quick again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Final, Self

import structlog

from analytics.errors import LogUnavailable, Misconfigured
from analytics.event import LogRecord
from analytics.stream import record as records_
from analytics.stream import segment
from analytics.stream.base import Appending, Batch, EventLog, Position
from analytics.stream.segment_file import name
from analytics.stream.segments import JournalLimits, Segments, is_cramped

__all__ = ["PARTITION", "Journal", "JournalLimits"]

log = structlog.get_logger()

PARTITION: Final = 0
_QUICK_SYNC_S: Final = 0.0005
_COPIED_AT_ONCE: Final = 5_000


async def copied(log: EventLog, start: Position, folder: Path) -> None:
    """Write the records that *log* has from *start* on as a journal of one segment in *folder*."""
    end = next(end for _, end in await log.ends() if end.partition == start.partition)
    await asyncio.to_thread(folder.mkdir)
    path = folder / name(start.offset)
    await asyncio.to_thread(path.write_bytes, segment.header(start.offset))
    if start.offset >= end.offset:
        return
    async with aclosing(log.read(start, limit=_COPIED_AT_ONCE)) as batches:
        async for batch in batches:
            with path.open("ab") as file:
                await asyncio.to_thread(file.write, segment.pack(batch.records))
            if batch.end.offset >= end.offset:
                return


class PendingGroup:
    """The records that the next write will sync, and the appends that wait for it."""

    __slots__ = ("first", "payloads", "size", "waiting")

    def __init__(self, first: int) -> None:
        self.first = first
        self.payloads: list[bytes] = []
        self.size = 0
        self.waiting: list[Appending] = []

    @property
    def end(self) -> int:
        """Return the offset after the last record."""
        return self.first + len(self.payloads)

    def synced(self) -> None:
        """End every waiting append: the group is durable."""
        for appending in self.waiting:
            appending.end()

    def failed(self, fault: str) -> None:
        """End every waiting append with `LogUnavailable`: nothing of the group was kept."""
        for appending in self.waiting:
            appending.end(LogUnavailable(fault, retry_after=5))


class Journal:
    """An `EventLog` of one partition in a folder of segment files."""

    def __init__(self, folder: Path, limits: JournalLimits | None = None) -> None:
        self._limits = limits or JournalLimits()
        self._threads = ThreadPoolExecutor(2, "journal")
        self._segments = Segments(folder, self._limits, self._threads)
        self._next = 0  # the offset of the next record, those that wait included
        self._synced = 0  # the offset behind the last synced record
        self._waiting: PendingGroup | None = None
        self._busy = False  # a group is on its way to the disk, or a flush is to come
        self._idle: asyncio.Future[None] | None = None  # who closes waits for what is under way
        self._sealing: asyncio.Future[None] | None = None  # who wants another segment begun
        self._closed = True
        self._grew = asyncio.Event()
        self._fault: str | None = None
        self._cramped = False  # the fault is that there was no room

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._next = self._synced = await asyncio.to_thread(self._segments.open)
        self._closed = False
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closed = True
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._segments.close)

    # Appending

    def append(self, records: Sequence[LogRecord]) -> Appending:
        """See `EventLog.append`."""
        group = self._waiting
        if group is None:
            if self._closed:
                raise LogUnavailable("the journal is closed; try again in a moment")
            group = self._waiting = PendingGroup(self._next)
            if not self._busy:
                # At the end of this turn of the loop: who comes in the same turn joins.
                self._busy = True
                self._loop.call_soon(self._flush)
        elif group.size > self._limits.max_pending_bytes:
            raise LogUnavailable("the disk does not keep up with the events that arrive")
        payloads = group.payloads
        offset = group.first + len(payloads)
        positions = []
        for record in records:
            payload = records_.encode(record)
            payloads.append(payload)
            group.size += len(payload)
            positions.append(Position(PARTITION, offset))
            offset += 1
        appending = Appending(positions)
        group.waiting.append(appending)
        return appending

    def _flush(self) -> None:
        """Send the waiting group to the disk, by the faster way at the moment."""
        if self._sealing is not None:
            sealing, self._sealing = self._sealing, None
            self._loop.run_in_executor(
                self._threads, self._segments.seal, self._synced
            ).add_done_callback(lambda sealed: self._sealed(sealing, sealed))
            return
        group, self._waiting = self._waiting, None
        if group is None:
            self._busy = False
            if self._idle is not None:
                self._idle.set_result(None)
            return
        self._next = group.end
        # To begin a segment takes longer than to write into one.
        fills = self._segments.fills(len(group.payloads), group.size)
        if self._segments.sync_s < _QUICK_SYNC_S and not fills:
            self._done(group, self._try_to_write(group))
        else:
            self._loop.run_in_executor(self._threads, self._try_to_write, group).add_done_callback(
                lambda written: self._done(group, written.result())
            )

    def _try_to_write(self, group: PendingGroup) -> str | None:
        """Call `_write`, and end every waiting append even when it fails."""
        try:
            return self._write(group)
        except Exception as exc:
            with contextlib.suppress(Exception):
                log.exception("journal_failed", first=group.first)
            return f"the journal met a fault of its own: {exc!r}"

    def _write(self, group: PendingGroup) -> str | None:
        """Write the group to the disk; return the fault, or None."""
        try:
            self._segments.write(group.first, group.payloads, group.size)
        except OSError as exc:
            self._cramped = is_cramped(exc)
            fault = f"the journal can't be written: {exc.strerror or exc}"
            if self._fault is None:  # said once: a log of every refusal would fill the disk more
                log.error("journal_write_failed", error=fault, records=len(group.payloads))  # noqa: TRY400
            self._fault = fault
            return fault
        if self._fault is not None:
            log.info("journal_written_again")
        self._fault = None
        return None

    def _done(self, group: PendingGroup, fault: str | None) -> None:
        """End the waiting appends, and start writing the next group."""
        if fault is None:
            self._synced = group.end
            self._grew.set()
            group.synced()
        else:
            # The offsets of the failed group, and of what waited behind it, were not used up.
            self._next = group.first
            waiting, self._waiting = self._waiting, None
            group.failed(fault)
            if waiting is not None:
                waiting.failed(fault)
        self._loop.call_soon(self._flush)

    async def seal(self) -> None:
        """Return when everything durable lies in segments that receive no further record.

        Then `release` can delete them, however small they are. Raise `LogUnavailable` if there is
        no room for another segment.
        """
        if self._closed:
            raise LogUnavailable("the journal is closed; try again in a moment")
        if self._sealing is None:
            self._sealing = self._loop.create_future()
        sealing = self._sealing
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._flush)
        await asyncio.shield(sealing)

    def _sealed(self, sealing: asyncio.Future[None], sealed: asyncio.Future[None]) -> None:
        """End the wait for the seal, and write what was appended in the meantime."""
        fault = sealed.exception()
        if fault is None:
            sealing.set_result(None)
        else:
            sealing.set_exception(
                LogUnavailable(f"the journal can't begin another segment: {fault}")
            )
        self._loop.call_soon(self._flush)

    # Reading

    async def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        """See `EventLog.read`."""
        reader = self._segments.reader(start.offset)
        if reader is None or start.offset > self._synced:
            raise Misconfigured(
                f"the journal holds records {self._segments.oldest} to {self._synced}, and the"
                f" store asks for {start.offset}: they are of different ages; restore both from a"
                " backup"
            )
        while True:
            self._grew.clear()
            records = await asyncio.to_thread(self._segments.read, reader, limit)
            if not records:
                await self._grew.wait()
            for i in range(0, len(records), limit):
                part = records[i : i + limit]
                yield Batch(Position(PARTITION, reader.offset - len(records) + i), part)

    async def release(self, before: Position) -> None:
        """See `EventLog.release`: deletes the segments that lie before it as a whole."""
        while (path := self._segments.drop_first(before.offset)) is not None:
            await asyncio.to_thread(path.unlink)
            log.info("journal_segment_released", segment=path.name)

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """See `EventLog.ends`."""
        return [(Position(PARTITION, self._segments.oldest), Position(PARTITION, self._synced))]

    @property
    def fault(self) -> str | None:
        """The reason why the last group was refused; None if there is none, or room again.

        Free space is checked here, because a balancer that sees the fault sends no further event.
        """
        if self._cramped and self._fault is not None and self._segments.has_room():
            return None
        return self._fault

    @property
    def next_offset(self) -> int:
        """Return the offset after the last synced record."""
        return self._synced

    @property
    def sync_seconds(self) -> float:
        """Return the recent duration of a sync, in seconds."""
        return self._segments.sync_s

    @property
    def backlog_bytes(self) -> int:
        """Return the bytes that were appended and are not released yet."""
        return self._segments.size


_: type[EventLog] = Journal
