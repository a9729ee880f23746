"""The journal's folder: its segments, the newest of which is written, and the free space."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from analytics.settings import JournalSettings
from analytics.stream import segment
from analytics.stream.segment_file import SegmentFile, lay_out, name
from analytics.stream.segment_reader import SegmentReader

log = structlog.get_logger()

_NO_ROOM: Final = (0, errno.ENOSPC, errno.EDQUOT)
"""0 stands for our own limits."""
_LOOK_AGAIN_BYTES: Final = 16 << 20


class JournalLimits(NamedTuple):
    """Limits on the size of a journal, in bytes."""

    segment_bytes: int = 32 << 20
    max_backlog_bytes: int = 8 << 30
    """Records appended and not released yet; above it, appends are refused."""
    min_free_bytes: int = 64 << 20
    """Appends are refused before the disk has less room than this."""
    max_pending_bytes: int = 32 << 20
    """Records in memory that wait for the next sync; above it, appends are refused."""

    @classmethod
    def of(cls, settings: JournalSettings) -> JournalLimits:
        """Return the limits that *settings* say."""
        return cls(
            segment_bytes=settings.segment_bytes,
            max_backlog_bytes=settings.max_backlog_bytes,
            min_free_bytes=settings.min_free_bytes,
        )


class Segments:
    """The segment files of a folder, in order.

    One thread writes at a time; others may read at the same time.
    """

    def __init__(self, folder: Path, limits: JournalLimits, spare_maker: Executor) -> None:
        self._folder = folder
        self._limits = limits
        self._spare_maker = spare_maker
        self._bases: list[int] = []  # the first offset of each segment, oldest first
        self._sealed: dict[int, int] = {}  # the bytes in each segment but the newest
        self._room = 0  # bytes to write before the disk's free room is looked at again
        self._spare: Future[None] | None = None  # the next segment, being laid out
        self.sync_s = 0.0
        """The recent duration of a sync, in seconds."""

    def open(self) -> int:
        """Find the segments and open the newest one for writing; return the next offset."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(self._folder.glob("*.seg"))
        while paths and paths[-1].stat().st_size < segment.HEADER_BYTES:
            paths.pop().unlink()  # the process ended while creating this one: it is empty
        self._bases = [int(path.stem) for path in paths]
        self._sealed = {int(path.stem): path.stat().st_size for path in paths[:-1]}
        if paths:
            self._file = SegmentFile.reopen(paths[-1], self._limits.segment_bytes)
        else:
            self._file = SegmentFile.create(self._folder, 0, self._limits.segment_bytes)
            self._bases = [0]
        return self._file.end_offset

    def close(self) -> None:
        """Cut the newest segment to what it holds."""
        self._file.seal()

    @property
    def oldest(self) -> int:
        """Return the first offset that is still stored."""
        return self._bases[0]

    @property
    def size(self) -> int:
        """Return the size of all segments in bytes."""
        return sum(list(self._sealed.values())) + self._file.size

    # Writing

    def fills(self, count: int, size: int) -> bool:
        """Return whether the newest segment lacks room for *count* records of *size* bytes."""
        packed = segment.packed_size(count, size)
        return self._file.size + packed > self._limits.segment_bytes

    def write(self, first: int, payloads: Sequence[bytes], size: int) -> None:
        """Return when *payloads*, the records from offset *first* on, are on the disk.

        Raises `OSError` when they are not; see `is_cramped`.
        """
        try:
            data = segment.pack(payloads)
            if self.fills(len(payloads), size):
                self._begin(first)
            self._check_room(len(data))
            began = time.perf_counter()
            self._file.write(data)
            self.sync_s += (time.perf_counter() - began - self.sync_s) / 4
            if self._spare is None and self._file.size > self._limits.segment_bytes // 2:
                self._spare = self._spare_maker.submit(
                    lay_out, self._folder, self._limits.segment_bytes
                )
        except OSError:
            self._room = 0
            raise

    def _begin(self, base: int) -> None:
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

    def seal(self, end: int) -> None:
        """Begin another segment with the record at offset *end*, which is the next one."""
        self._begin(end)

    def _check_room(self, size: int) -> None:
        if self.size + size > self._limits.max_backlog_bytes:
            raise OSError(0, "its backlog has reached its limit (journal.max_backlog_bytes)")
        self._room -= size
        if self._room <= 0:
            free = shutil.disk_usage(self._folder).free
            if free < self._limits.min_free_bytes + size:
                raise OSError(0, f"the disk has only {free >> 20} MiB left")
            # Others fill the disk too: look again soon, but not for every group.
            self._room = min((free - self._limits.min_free_bytes) // 8, _LOOK_AGAIN_BYTES)

    def has_room(self) -> bool:
        """Return whether the disk has room for another segment."""
        free = shutil.disk_usage(self._folder).free
        room = free > max(self._limits.min_free_bytes, self._limits.segment_bytes)
        return room and self.size + self._limits.segment_bytes <= self._limits.max_backlog_bytes

    # Reading

    def reader(self, offset: int) -> SegmentReader | None:
        """Return a reader from *offset* on, or None if no segment reaches back so far."""
        holding = [base for base in self._bases if base <= offset]
        return SegmentReader(self._folder, holding[-1], offset) if holding else None

    def read(self, reader: SegmentReader, limit: int) -> Sequence[bytes]:
        """Return about *limit* further records; none at the end."""
        while True:
            following = [base for base in list(self._bases) if base > reader.base]
            # A segment with one behind it is complete, and its size final; if it was read and
            # released in between, there is nothing left of it to read.
            size = self._sealed.get(reader.base, 0) if following else self._file.size
            records = reader.read(size, limit)
            if records or not following:
                return records
            reader.enter(following[0])

    def drop_first(self, before: int) -> Path | None:
        """Drop the oldest segment if all of it lies *before* an offset.

        Return its file, which the caller deletes, or None.
        """
        if len(self._bases) < 2 or self._bases[1] > before:
            return None
        base = self._bases.pop(0)
        del self._sealed[base]
        return self._folder / name(base)


def is_cramped(fault: OSError) -> bool:
    """Return whether *fault* only reports a lack of space."""
    return fault.errno in _NO_ROOM
