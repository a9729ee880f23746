"""Bounds what is read of one export: its rows, and the bytes that its files unpack to."""

from __future__ import annotations

import io
from typing import IO, Any

from analytics.errors import Malformed


class ExportBudget:
    """What may still be read of one export."""

    def __init__(self, today: int, rows: int, size: int) -> None:
        self.today = today
        self._most_rows = self._rows = rows
        self._most_bytes = self._bytes = size

    def take_row(self) -> None:
        """Count a row. Raise `Malformed` for one too many."""
        self._rows -= 1
        if self._rows < 0:
            raise Malformed(
                "file",
                f"has more than {self._most_rows:,} rows: export fewer days, and import one"
                " export after the other",
            )

    def take_bytes(self, size: int) -> None:
        """Count *size* unpacked bytes. Raise `Malformed` for too many."""
        self._bytes -= size
        if self._bytes < 0:
            raise Malformed(
                "file",
                f"unpacks to more than {self._most_bytes >> 20:,} MiB: export fewer"
                " days, and import one export after the other",
            )


class BoundedFile(io.RawIOBase):
    """An unpacked file, of which no more is read than the budget has."""

    def __init__(self, file: IO[bytes], budget: ExportBudget) -> None:
        self._file = file
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        self._budget.take_bytes(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)
