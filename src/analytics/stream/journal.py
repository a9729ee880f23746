"""The embedded event log: append-only segments on the local disk, synced in groups.

What arrives while a group is being synced forms the next one, so that many requests share one
write and one sync. What `append` acked survives the end of the process and of the machine. When
the disk refuses a write, the whole group fails with `LogUnavailable` and the next one tries again.

A disk that syncs within half a millisecond is waited for on the event loop: to hand the group to
a thread and back costs more than the wait, because the thread needs the interpreter's lock each
way (docs/performance.md). A slower disk is waited for in a thread, until it is quick again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, Self

import structlog

from analytics.errors import LogUnavailable, Misconfigured
from analytics.event import LogRecord
from analytics.stream import record as records_
from analytics.stream import segment
from analytics.stream.base import Appending, Batch, EventLog, Position
from analytics.stream.reader import SegmentReader
from analytics.stream.segment_file import SegmentFile, lay_out, name

log = structlog.get_logger()

PARTITION: Final = 0
_NO_ROOM: Final = (0, errno.ENOSPC, errno.EDQUOT)
"""0 is what we say ourselves, of our own limits."""
_QUICK_SYNC_S: Final = 0.0005
_LOOK_AGAIN_BYTES: Final = 16 << 20


class JournalLimits(NamedTuple):
    """How large a journal may grow, in bytes."""

    segment_bytes: int = 32 << 20
    max_backlog_bytes: int = 8 << 30
    """What is appended and not yet released; over it, appends are refused."""
    min_free_bytes: int = 64 << 20
    """Appends are refused before the disk has less room than this."""
    max_pending_bytes: int = 32 << 20
    """What waits in memory for the next sync; over it, appends are refused."""


class Group:
    """The records that the next write will sync, and who waits for it."""

    __slots__ = ("first", "payloads", "size", "waiting")

    def __init__(self, first: int) -> None:
        self.first = first
        self.payloads: list[bytes] = []
        self.size = 0
        self.waiting: list[Appending] = []

    @property
    def end(self) -> int:
        """The offset behind the last record."""
        return self.first + len(self.payloads)

    def synced(self) -> None:
        """Tell everybody who waits that it is durable."""
        for appending in self.waiting:
            appending.end()

    def failed(self, fault: str) -> None:
        """Tell everybody who waits that nothing of it was kept."""
        for appending in self.waiting:
            appending.end(LogUnavailable(fault, retry_after=5))


class Journal:
    """An `EventLog` of one partition in a folder of segment files."""

    def __init__(self, folder: Path, limits: JournalLimits | None = None) -> None:
        self._folder = folder
        self._limits = limits or JournalLimits()
        self._bases: list[int] = []  # the first offset of each segment, oldest first
        self._sealed: dict[int, int] = {}  # the bytes in each segment but the newest
        self._next = 0  # the offset of the next record, those that wait included
        self._synced = 0  # the offset behind the last synced record
        self._room = 0  # bytes to write before the disk's free room is looked at again
        self._sync_s = 0.0  # how long a sync takes, of late
        self._waiting: Group | None = None
        self._busy = False  # a group is on its way to the disk, or a flush is to come
        self._threads = ThreadPoolExecutor(2, "journal")
        self._spare: Future[None] | None = None  # the next segment, being laid out
        self._idle: asyncio.Future[None] | None = None  # who closes waits for what is under way
        self._closed = True
        self._grew = asyncio.Event()
        self._fault: str | None = None
        self._cramped = False  # the fault is that there was no room

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._recover)
        self._closed = False
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._closed = True
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._file.seal)

    def _recover(self) -> None:
        """Find the segments, and open the newest one for writing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(self._folder.glob("*.seg"))
        while paths and paths[-1].stat().st_size < segment.HEADER_BYTES:
            paths.pop().unlink()  # the process ended while it began this one: it holds nothing
        self._bases = [int(path.stem) for path in paths]
        self._sealed = {int(path.stem): path.stat().st_size for path in paths[:-1]}
        if paths:
            self._file = SegmentFile.reopen(paths[-1], self._limits.segment_bytes)
        else:
            self._file = SegmentFile.create(self._folder, 0, self._limits.segment_bytes)
            self._bases = [0]
        self._next = self._synced = self._file.end_offset

    # Appending

    def append(self, records: Sequence[LogRecord]) -> Appending:
        """See `EventLog.append`."""
        group = self._waiting
        if group is None:
            if self._closed:
                raise LogUnavailable("the journal is closed; try again in a moment")
            group = self._waiting = Group(self._next)
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
        """Send the waiting group to the disk, by the way that is quicker now."""
        group, self._waiting = self._waiting, None
        if group is None:
            self._busy = False
            if self._idle is not None:
                self._idle.set_result(None)
            return
        self._next = group.end
        if self._sync_s < _QUICK_SYNC_S and not self._fills(group):
            self._done(group, self._try_to_write(group))
        else:
            self._loop.run_in_executor(self._threads, self._try_to_write, group).add_done_callback(
                lambda written: self._done(group, written.result())
            )

    def _try_to_write(self, group: Group) -> str | None:
        """As `_write`, come what may: whoever waits must be told."""
        try:
            return self._write(group)
        except Exception as exc:
            with contextlib.suppress(Exception):
                log.exception("journal_failed", first=group.first)
            return f"the journal met a fault of its own: {exc!r}"

    def _fills(self, group: Group) -> bool:
        """Whether the newest segment has no room left for *group*."""
        size = segment.packed_size(len(group.payloads), group.size)
        return self._file.size + size > self._limits.segment_bytes

    def _write(self, group: Group) -> str | None:
        """Put the group on the disk; what went wrong, or None."""
        try:
            data = segment.pack(group.payloads)
            if self._fills(group):
                self._begin_segment(group.first)
            self._check_room(len(data))
            began = time.perf_counter()
            self._file.write(data)
            self._sync_s += (time.perf_counter() - began - self._sync_s) / 4
            if self._spare is None and self._file.size > self._limits.segment_bytes // 2:
                self._spare = self._threads.submit(
                    lay_out, self._folder, self._limits.segment_bytes
                )
        except OSError as exc:
            self._room = 0
            self._cramped = exc.errno in _NO_ROOM
            fault = f"the journal can't be written: {exc.strerror or exc}"
            if self._fault is None:  # said once: a log of every refusal would fill the disk more
                log.error("journal_write_failed", error=fault, records=len(group.payloads))  # noqa: TRY400
            self._fault = fault
            return fault
        if self._fault is not None:
            log.info("journal_written_again")
        self._fault = None
        return None

    def _done(self, group: Group, fault: str | None) -> None:
        """Tell those who wait, and send the next group on its way."""
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

    def _begin_segment(self, base: int) -> None:
        if self._file.base == base:
            return  # one group larger than a segment
        if self._spare is not None:
            spare, self._spare = self._spare, None
            spare.result()
        fresh = SegmentFile.create(self._folder, base, self._limits.segment_bytes)
        with contextlib.suppress(OSError):
            self._file.seal()
        self._sealed[self._file.base] = self._file.size
        self._file = fresh
        self._bases.append(base)

    def _check_room(self, size: int) -> None:
        if self.backlog_bytes + size > self._limits.max_backlog_bytes:
            raise OSError(0, "its backlog has reached its limit (journal.max_backlog_bytes)")
        self._room -= size
        if self._room <= 0:
            free = shutil.disk_usage(self._folder).free
            if free < self._limits.min_free_bytes + size:
                raise OSError(0, f"the disk has only {free >> 20} MiB left")
            # Others fill the disk too: look again soon, but not for every group.
            self._room = min((free - self._limits.min_free_bytes) // 8, _LOOK_AGAIN_BYTES)

    # Reading

    async def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        """See `EventLog.read`."""
        holding = [base for base in self._bases if base <= start.offset]
        if not holding or start.offset > self._synced:
            raise Misconfigured(
                f"the journal holds records {self._bases[0]} to {self._synced}, and the store "
                f"asks for {start.offset}: they are of different ages; restore both from a backup"
            )
        reader = SegmentReader(self._folder, holding[-1], start.offset)
        while True:
            self._grew.clear()
            records = await asyncio.to_thread(self._read_some, reader, limit)
            if not records:
                await self._grew.wait()
            for i in range(0, len(records), limit):
                part = records[i : i + limit]
                yield Batch(Position(PARTITION, reader.offset - len(records) + i), part)

    def _read_some(self, reader: SegmentReader, limit: int) -> Sequence[bytes]:
        """About *limit* records that the reader has not seen; none when it has seen all."""
        while True:
            following = [base for base in list(self._bases) if base > reader.base]
            # A segment with one behind it is complete, and its size final; when it was read and
            # released meanwhile, there is nothing left of it to read.
            size = self._sealed.get(reader.base, 0) if following else self._file.size
            records = reader.read(size, limit)
            if records or not following:
                return records
            reader.enter(following[0])

    async def release(self, before: Position) -> None:
        """See `EventLog.release`: deletes the segments that lie before it as a whole."""
        while len(self._bases) > 1 and self._bases[1] <= before.offset:
            base = self._bases.pop(0)
            del self._sealed[base]
            await asyncio.to_thread((self._folder / name(base)).unlink)
            log.info("journal_segment_released", segment=name(base))

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """See `EventLog.ends`."""
        return [(Position(PARTITION, self._bases[0]), Position(PARTITION, self._synced))]

    @property
    def fault(self) -> str | None:
        """Why the last group was refused; None when it was not, or when there is room again.

        A balancer that was told of the fault sends no event that could prove it gone.
        """
        if self._fault is not None and self._cramped:
            free = shutil.disk_usage(self._folder).free
            room = free > max(self._limits.min_free_bytes, self._limits.segment_bytes)
            backlog = self.backlog_bytes + self._limits.segment_bytes
            if room and backlog <= self._limits.max_backlog_bytes:
                return None
        return self._fault

    @property
    def next_offset(self) -> int:
        """The offset behind the last synced record."""
        return self._synced

    @property
    def sync_seconds(self) -> float:
        """How long a sync takes, of late."""
        return self._sync_s

    @property
    def backlog_bytes(self) -> int:
        """What was appended and is not yet released."""
        return sum(list(self._sealed.values())) + self._file.size


_: type[EventLog] = Journal
