"""A reader's place in a segment, and the way forward from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analytics.errors import Corrupt
from analytics.stream import segment
from analytics.stream.segment_file import name

_READ_BYTES: Final = 4 << 20


class SegmentReader:
    """Reads records from *offset* on, beginning at the head of segment *base*."""

    def __init__(self, folder: Path, base: int, offset: int) -> None:
        self._folder = folder
        self.base = base
        self.offset = offset
        """The next record to hand over."""
        self._byte = segment.HEADER_BYTES
        self._at = base  # the record at that byte

    def enter(self, base: int) -> None:
        """Go on at the head of segment *base*."""
        self.base, self._byte, self._at = base, segment.HEADER_BYTES, base

    def read(self, size: int, limit: int) -> Sequence[bytes]:
        """About *limit* records of the segment's first *size* bytes; none when all were read.

        Raises `Corrupt` where synced bytes are damaged.
        """
        if self._byte >= size:
            return ()  # the file may be gone by now
        path = self._folder / name(self.base)
        chunk = _READ_BYTES
        records: list[bytes] = []
        with path.open("rb") as file:
            while not records and self._byte < size:
                file.seek(self._byte)
                data = file.read(min(chunk, size - self._byte))
                before = self._byte
                self._take(data, path.name, records, limit)
                if self._byte > before:
                    continue  # what it asked to skip, perhaps
                if before + len(data) >= size:
                    raise Corrupt(
                        f"{path.name}: damaged at byte {before} (record {self._at}), though it "
                        "was synced. Stop the server, and restore the folder from a backup"
                    )
                chunk *= 2  # one group is larger than what we read
        return records

    def _take(self, data: bytes, where: str, records: list[bytes], limit: int) -> None:
        end = 0
        for group in segment.groups(data, where, start=0, first=self._at):
            records.extend(group.records[max(0, self.offset - group.first) :])
            self._at = group.first + len(group.records)
            self.offset = max(self.offset, self._at)
            end = group.end
            if len(records) >= limit:
                break
        self._byte += end
