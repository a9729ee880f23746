"""The daily salts of the cookieless visitor hash, in SQLite and in memory."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, NamedTuple

from analytics.errors import StoreUnavailable
from analytics.store.catalog.base import SaltMissing
from analytics.store.catalog.sqlite.database import Database

KEEP_DAYS: Final = 2
_LEAVE_ALONE_S: Final = 1.0
"""After a failure; else each of the hits that wait would have to wait for one of its own."""


class _Salt(NamedTuple):
    made_on: int
    salt: bytes


class SqliteSalts:
    """Salts are read from memory; only `make` writes, in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._salts: Mapping[int, _Salt] = {}
        self._making = asyncio.Lock()
        self._failed_at = -_LEAVE_ALONE_S
        self._fault = ""

    def load(self) -> None:
        """Read all of them."""
        self._database.transact(_every, self._take)

    def _take(self, salts: Mapping[int, _Salt]) -> None:
        self._salts = salts

    def of(self, day: int, *, today: int) -> bytes:
        kept = self._salts.get(day)
        if kept is None or _is_over(day, kept, today):
            raise SaltMissing(day)
        return kept.salt

    async def make(self, days: Collection[int], *, today: int) -> None:
        async with self._making:  # whoever waits for it finds what the one before has made
            salts = self._salts
            if all(day in salts for day in days) and not any(
                _is_over(day, kept, today) for day, kept in salts.items()
            ):
                return
            if time.monotonic() - self._failed_at < _LEAVE_ALONE_S:
                raise StoreUnavailable(self._fault)
            try:
                await self._database.run(partial(_made, days=[*days], today=today), self._take)
            except StoreUnavailable as exc:
                self._fault, self._failed_at = str(exc), time.monotonic()
                raise


def _is_over(day: int, kept: _Salt, today: int) -> bool:
    oldest = today - KEEP_DAYS
    return day < oldest and kept.made_on < oldest


def _made(
    connection: sqlite3.Connection, *, days: Collection[int], today: int
) -> Mapping[int, _Salt]:
    oldest = today - KEEP_DAYS
    connection.execute("DELETE FROM salts WHERE day < ? AND made_on < ?", (oldest, oldest))
    connection.executemany(
        "INSERT OR IGNORE INTO salts (day, made_on, salt) VALUES (?, ?, ?)",
        ((day, today, secrets.token_bytes(16)) for day in days),
    )
    return _every(connection)


def _every(connection: sqlite3.Connection) -> Mapping[int, _Salt]:
    rows = connection.execute("SELECT day, made_on, salt FROM salts")
    return {day: _Salt(made_on, salt) for day, made_on, salt in rows}
