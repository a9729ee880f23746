"""The erasures that reached a partition, stored in its state file."""

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
    """The erasures of one partition.

    None is ever deleted: a hit delayed elsewhere may arrive long after an erasure that matches it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.execute(_SCHEMA)

    def note(self, erasure: Erasure) -> None:
        """Store *erasure* as pending, and drop those that it subsumes."""
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
        """Return the erasures that may match hits received at *moment* (UTC ms) or later."""
        rows = self._db.execute("SELECT body FROM erasures WHERE until >= ?", (moment,))
        return [_decode(body) for (body,) in rows]

    def all(self) -> list[Erasure]:
        """Return all erasures, applied or not."""
        return [_decode(body) for (body,) in self._db.execute("SELECT body FROM erasures")]

    def pending(self) -> list[int]:
        """Return the numbers of erasures that may not have been applied to every chunk."""
        rows = self._db.execute("SELECT number FROM erasures WHERE pending = 1")
        return [number for (number,) in rows]

    def mark_applied(self, numbers: Iterable[int]) -> None:
        """Mark these as applied: no chunk has matching rows any more."""
        self._db.executemany(
            "UPDATE erasures SET pending = 0 WHERE number = ?", ((each,) for each in numbers)
        )
