"""The segment that is being written: a file whose blocks are there before the records come.

Syncing a write into blocks that exist already needs no commit of the file system's own journal:
it takes half the time, and does not wait for what others write to the same disk. So each segment
is filled with zeros when it is made, and cut to what it holds when the next one begins.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import structlog

from analytics import durable_file
from analytics.errors import Corrupt
from analytics.stream import segment

log = structlog.get_logger()

SPARE: Final = "spare"
_ZEROS: Final = bytes(1 << 20)
_DSYNC: Final = getattr(os, "RWF_DSYNC", None)


class SegmentFile:
    """One open segment. Not for use by two threads at once."""

    def __init__(self, path: Path, fd: int, base: int, size: int, end_offset: int) -> None:
        self.path = path
        self.base = base
        self.size = size
        """Where the next group goes; what lies behind is zeros, or was never acked."""
        self.end_offset = end_offset
        """The offset after the last record, when the file was opened."""
        self._fd = fd

    @classmethod
    def create(cls, folder: Path, base: int, room: int) -> SegmentFile:
        """Create the segment whose first record will be *base*, from the spare file if any."""
        spare = folder / SPARE
        if not spare.exists():
            lay_out(folder, room)
        path = folder / name(base)
        fd = os.open(spare, os.O_RDWR)
        try:
            os.pwrite(fd, segment.header(base), 0)
            os.fsync(fd)
            spare.rename(path)
            durable_file.sync_folder(folder)
        except OSError:
            os.close(fd)
            raise
        return cls(path, fd, base, segment.HEADER_BYTES, base)

    @classmethod
    def reopen(cls, path: Path, room: int) -> SegmentFile:
        """Open the newest segment of a folder again, cut a torn tail off, and lay the rest out.

        Raises `Corrupt` where a damaged group has an intact one behind it.
        """
        data = path.read_bytes()
        base = segment.base_of(data, path.name)
        if path.name != name(base):
            raise Corrupt(f"{path.name}: its header says that its first record is {base}")
        end, offset = segment.HEADER_BYTES, base
        for group in segment.groups(data, path.name, start=end, first=base):
            end, offset = group.end, group.first + len(group.records)
        fd = os.open(path, os.O_RDWR)
        if data[end:].strip(b"\0"):
            log.warning("journal_tail_cut", segment=path.name, at=end, next_offset=offset)
        os.ftruncate(fd, end)
        os.fsync(fd)
        with contextlib.suppress(OSError):  # a full disk is the next write's affair
            _fill(fd, end, room)
        return cls(path, fd, base, end, offset)

    def write(self, data: bytes) -> None:
        """Return when *data* is on the disk, behind all that was written before."""
        try:
            written = _write(self._fd, data, self.size)
            while written < len(data):
                written += _write(self._fd, data[written:], self.size + written)
        except OSError:
            # Nobody knows what of it reached the disk. Cut off, it can't come back at a restart
            # as if it had been acked; the next group starts behind the last one that was.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def seal(self) -> None:
        """Cut the file to what it holds, and close it."""
        os.ftruncate(self._fd, self.size)
        os.fsync(self._fd)
        self.close()

    def close(self) -> None:
        """Close the file; it can be reopened."""
        os.close(self._fd)


def lay_out(folder: Path, room: int) -> None:
    """Create the spare file: *room* bytes of zeros, so that no append waits for them later."""
    spare, unfinished = folder / SPARE, folder / f"{SPARE}.tmp"
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _fill(fd, 0, room)
    except OSError:
        unfinished.unlink()
        raise
    finally:
        os.close(fd)
    unfinished.rename(spare)


def _fill(fd: int, at: int, room: int) -> None:
    """Write zeros from *at* to *room* in pieces: one large sync would delay those of events."""
    while at < room:
        at += _write(fd, _ZEROS[: room - at], at)


def _write(fd: int, data: bytes, at: int) -> int:
    """Write at *at*, and return when it is on the disk; how many bytes were written."""
    if _DSYNC is not None:
        return os.pwritev(fd, [data], at, _DSYNC)
    written = os.pwrite(fd, data, at)
    os.fsync(fd)
    return written


def name(base: int) -> str:
    """Return the file name of the segment whose first record is *base*."""
    return f"{base:020d}.seg"
