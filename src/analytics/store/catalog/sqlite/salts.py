"""The daily salts of the cookieless visitor hash, in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final

from analytics.store.catalog.sqlite.database import Database

KEEP_DAYS: Final = 2


class SqliteSalts:
    """Salts are read from memory; a new day's first hit writes one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, bytes] = {}
        self._today: int | None = None

    def of(self, day: int, *, today: int) -> bytes:
        if today != self._today:
            self._kept = self._database.transact(lambda connection: _pruned(connection, today))
            self._today = today
        salt = self._kept.get(day)
        if salt is None:
            salt = self._database.transact(lambda connection: _made(connection, day, today))
            self._kept[day] = salt
        return salt


def _pruned(connection: sqlite3.Connection, today: int) -> dict[int, bytes]:
    oldest = today - KEEP_DAYS
    connection.execute("DELETE FROM salts WHERE day < ? AND made_on < ?", (oldest, oldest))
    return dict(connection.execute("SELECT day, salt FROM salts"))


def _made(connection: sqlite3.Connection, day: int, today: int) -> bytes:
    connection.execute(
        "INSERT OR IGNORE INTO salts (day, made_on, salt) VALUES (?, ?, ?)",
        (day, today, secrets.token_bytes(16)),
    )
    salt: bytes = connection.execute("SELECT salt FROM salts WHERE day = ?", (day,)).fetchone()[0]
    return salt
