"""The offset up to which a spool was drained, as a file beside it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import msgspec
import structlog

from analytics import durable_file
from analytics.errors import UNDECODABLE

log = structlog.get_logger()

FIRST_NUMBER: Final = 1_000_000
"""From here on a position's partition is the number of a spool: no topic has so many."""
_NUMBERS: Final = 1 << 30


class _Written(msgspec.Struct, frozen=True):
    number: int
    drained: int


class Mark:
    """Which spool this is, with the offset before which all of it is in the log."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "drained.json"
        self.number = 0
        self.drained = 0

    def load(self, oldest: int, end: int) -> None:
        """Read it, for a journal that holds records *oldest* to *end*."""
        try:
            written = msgspec.json.decode(self._path.read_bytes(), type=_Written)
        except FileNotFoundError:
            written = _Written(FIRST_NUMBER + secrets.randbelow(_NUMBERS), oldest)
        except UNDECODABLE:
            # To send again what is there loses nothing: every hit has its id.
            log.warning("spool_mark_unreadable", sending_again_from=oldest)
            written = _Written(FIRST_NUMBER + secrets.randbelow(_NUMBERS), oldest)
        self.number = written.number
        self.move(written.drained if oldest <= written.drained <= end else oldest)

    def move(self, drained: int) -> None:
        """Note that everything before *drained* is in the log."""
        durable_file.replace(self._path, msgspec.json.encode(_Written(self.number, drained)))
        self.drained = drained
