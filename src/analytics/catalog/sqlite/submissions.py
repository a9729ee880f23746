"""The forms that have created something, in SQLite: few, and for a day."""

from __future__ import annotations

import sqlite3
from typing import Final

from analytics.submission import AlreadyDone
from analytics.units import DAY_MS

_KEPT_FORMS: Final = 10_000


def spend(connection: sqlite3.Connection, digest: bytes, now: int) -> None:
    """Store that the form of *digest* was carried out at *now*. Raise `AlreadyDone`."""
    connection.execute("DELETE FROM submissions WHERE at < ?", (now - DAY_MS,))
    added = connection.execute(
        "INSERT INTO submissions (digest, at) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (digest, now),
    ).fetchone()
    if added is None:
        raise AlreadyDone
    connection.execute("DELETE FROM submissions WHERE id <= ?", (added[0] - _KEPT_FORMS,))
