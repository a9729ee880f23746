"""The orders to erase that reached a partition, in the file of its memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from analytics.event import Erasure
from analytics.pipeline.erasure import contains

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS erasures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT, until INTEGER, pending INTEGER, body BLOB)
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Erasure).decode


class PartitionErasures:
    """Kept for good: a hit that was held up elsewhere may come much later than they."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.execute(_SCHEMA)

    def note(self, erasure: Erasure) -> None:
        """Keep *erasure*, to be obeyed in every chunk; those that it contains need not be."""
        rows = self._db.execute(
            "SELECT number, body FROM erasures WHERE site = ?", (erasure.site,)
        ).fetchall()
        for number, body in rows:
            if contains(erasure, _decode(body)):
                self._db.execute("DELETE FROM erasures WHERE number = ?", (number,))
        self._db.execute(
            "INSERT INTO erasures (site, until, pending, body) VALUES (?, ?, 1, ?)",
            (erasure.site, erasure.until, _encode(erasure)),
        )

    def since(self, moment: int) -> list[Erasure]:
        """Those that concern anything received at *moment* or later."""
        rows = self._db.execute("SELECT body FROM erasures WHERE until >= ?", (moment,))
        return [_decode(body) for (body,) in rows]

    def all(self) -> list[Erasure]:
        """Every one."""
        return [_decode(body) for (body,) in self._db.execute("SELECT body FROM erasures")]

    def pending(self) -> list[int]:
        """The numbers of those that may not have reached every chunk."""
        rows = self._db.execute("SELECT number FROM erasures WHERE pending = 1")
        return [number for (number,) in rows]

    def obeyed(self, numbers: Iterable[int]) -> None:
        """No chunk has rows any more that these concern."""
        self._db.executemany(
            "UPDATE erasures SET pending = 0 WHERE number = ?", ((each,) for each in numbers)
        )
