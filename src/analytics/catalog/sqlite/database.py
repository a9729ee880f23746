"""The SQLite database of a catalog: its version, its transactions, and its errors as our own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from analytics import sqlite_file
from analytics.errors import Corrupt, Misconfigured, StoreUnavailable

VERSION: Final = 4
_STEPS: Final = {
    1: ("ALTER TABLE people ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0",),
    2: (
        "ALTER TABLE sessions ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT ''",
        "UPDATE sessions SET used_at = created_at",
        """CREATE TABLE key_uses (key TEXT PRIMARY KEY REFERENCES keys (id) ON DELETE CASCADE,
        day INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
        who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL, site TEXT NOT NULL,
        times INTEGER NOT NULL) STRICT""",
    ),
    3: (
        """CREATE TABLE submissions (id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE, at INTEGER NOT NULL) STRICT""",
    ),
}
"""The statements that upgrade a catalog of each version to the next."""
BUSY_S: Final = 5.0

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Database:
    """A connection, used by one thread at a time."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Connect; create the file if needed.

        Raise `Misconfigured` if it cannot be opened or has a newer version, `Corrupt` if it is not
        a catalog.
        """
        try:
            self._connection = sqlite_file.connect(
                self._path, sqlite3.Connection, busy_s=BUSY_S, check_same_thread=False
            )
            # WAL, so that a backup can read during writes; FULL, because nobody sends a lost change
            # again.
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self.transact(self._upgrade)
            if forget_salts(self._connection):
                sqlite_file.empty_log(self._connection)
        except sqlite3.OperationalError as exc:
            self.close()
            raise Misconfigured(f"{self._path}: the catalog cannot be opened: {exc}") from exc
        except sqlite3.DatabaseError as exc:
            self.close()
            raise Corrupt(f"{self._path}: this is not a catalog: {exc}") from exc
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect, if connected."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def transact(self, work: Work[T], then: Callable[[T], None] | None = None) -> T:
        """Run *work* in one transaction in this thread, then *then* on its result.

        Calls of *then* have the order of the commits. Raise `StoreUnavailable` or `Corrupt`.
        """
        try:
            with self._lock:
                result = self._transaction(work)
                if then is not None:
                    then(result)
                return result
        except sqlite3.OperationalError as exc:
            raise StoreUnavailable(f"the catalog cannot be used now: {exc}") from exc
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.DatabaseError as exc:
            raise Corrupt(f"{self._path}: the catalog is damaged: {exc}") from exc

    def _transaction(self, work: Work[T]) -> T:
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the catalog is closed")
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    async def run(self, work: Work[T], then: Callable[[T], None] | None = None) -> T:
        """Run `transact` in a thread, so that *then* is called even if the caller is cancelled."""
        return await asyncio.to_thread(self.transact, work, then)

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy to *path*."""
        await asyncio.to_thread(self._copy, path)

    def _copy(self, path: Path) -> None:
        with self._lock, closing(sqlite_file.connect(path, sqlite3.Connection)) as target:
            if self._connection is None:
                raise StoreUnavailable("the catalog is closed")
            self._connection.backup(target)

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        stored: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if stored > VERSION:
            raise Misconfigured(
                f"{self._path}: the catalog is of version {stored}, and this program knows "
                f"version {VERSION}; upgrade analytics"
            )
        if stored == VERSION:
            return
        if stored == 0:
            script = files(__package__).joinpath("schema.sql").read_text("utf-8")
            for statement in _statements(script):
                connection.execute(statement)
            stored = VERSION
        for version in range(stored, VERSION):
            for statement in _STEPS[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def forget_salts(connection: sqlite3.Connection) -> bool:
    """Remove every byte of salts that older versions stored here. Return True if there were any."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'salts'").fetchall():
        return False
    connection.execute("DROP TABLE salts")
    connection.execute("VACUUM")
    return True


def _statements(script: str) -> list[str]:
    """Return the statements of *script* one by one: `executescript` would end the transaction."""
    statements, lines = [], ""
    for line in script.splitlines(keepends=True):
        lines += line
        if sqlite3.complete_statement(lines):
            statements.append(lines)
            lines = ""
    return statements
