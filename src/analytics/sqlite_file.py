"""Opens SQLite files, all of them here, so that deleted data is overwritten.

SQLite leaves deleted rows in the file's free space unless it is told to overwrite them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TypeVar

C = TypeVar("C", bound=sqlite3.Connection)


def connect(
    path: str | Path,
    factory: type[C],
    *,
    busy_s: float = 5.0,
    check_same_thread: bool = True,
) -> C:
    """Open the file at *path* (`:memory:` for none), made when it is not there."""
    connection = sqlite3.connect(
        path,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=check_same_thread,
        factory=factory,
    )
    try:
        connection.execute("PRAGMA secure_delete = ON").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def empty_log(connection: sqlite3.Connection) -> None:
    """Cut off the write-ahead log, which holds what the file held before it was overwritten.

    While another connection reads, nothing is cut off.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
