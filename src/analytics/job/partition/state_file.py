"""A SQLite connection that raises `StoreUnavailable` instead of `sqlite3.Error`.

The state folder may be on a network file system, so any statement may fail, and so may reading any
row of its result. Translating errors in the connection covers every statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from analytics import sqlite_file
from analytics.errors import StoreUnavailable


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise StoreUnavailable(
            f"The job's state file cannot be used ({exc}): check the disk of its folder"
        ) from exc


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        with _translated():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, seq_of_parameters: Iterable[Any], /) -> Self:
        with _translated():
            return super().executemany(sql, seq_of_parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        with _translated():
            return super().executescript(sql_script)

    def fetchone(self) -> Any:
        with _translated():
            return super().fetchone()

    def fetchall(self) -> list[Any]:
        with _translated():
            return super().fetchall()

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error:
            with _translated():
                raise


class StateFile(sqlite3.Connection):
    """A connection whose statements, and whose rows, raise `StoreUnavailable` when they fail."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute one statement."""
        return self.cursor(_Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute one statement for each of *parameters*."""
        return self.cursor(_Cursor).executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Execute several statements."""
        return self.cursor(_Cursor).executescript(sql_script)


def opened(path: Path, *, busy_s: float) -> StateFile:
    """Open the file at *path*, creating it if needed. Raises `StoreUnavailable`.

    A statement waits up to *busy_s* seconds for a lock.
    """
    with _translated():
        return sqlite_file.connect(path, StateFile, busy_s=busy_s)
