"""Rewrites a DuckDB file, so that no block of it holds deleted rows.

DuckDB marks the blocks of deleted rows as free and overwrites them some day, and a block of which
some rows are left keeps the others' bytes for good. Only a copy of what is left has none of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from analytics import durable_file
from analytics.errors import StoreUnavailable
from analytics.store.connection import Connection

_SPARE_BYTES: Final = 64 << 20
"""Free space left to everything else on the disk, in bytes."""


def copy(connection: Connection, path: Path) -> None:
    """Write the state of one transaction to *path*, which must not exist."""
    ((name,),) = connection.rows("SELECT current_database()")
    source, target = str(name).replace('"', '""'), str(path).replace("'", "''")
    connection.run(f"ATTACH '{target}' AS snapshot")
    try:
        connection.run(f'COPY FROM DATABASE "{source}" TO snapshot')
        connection.run("DELETE FROM snapshot.uncompacted")
    except BaseException:
        connection.run("DETACH snapshot")
        discard(path)
        raise
    connection.run("DETACH snapshot")


def due(connection: Connection) -> bool:
    """Return whether the file holds deleted rows."""
    return bool(connection.rows("SELECT 1 FROM uncompacted LIMIT 1"))


def prepare(connection: Connection, path: Path) -> None:
    """Write the copy that will replace *path*. Raise `StoreUnavailable` without enough room.

    From then on until `swap` nothing may be written.
    """
    fresh = _fresh(path)
    discard(fresh)
    files = (path, _log_of(path))
    needed = sum(each.stat().st_size for each in files if each.exists()) + _SPARE_BYTES
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreUnavailable(
            f"{path.name} still holds what was deleted, as the disk has no room for a copy without"
            f" it: {_mebibytes(needed)} are needed, {_mebibytes(free)} are free. Make room; the"
            " server tries again by itself"
        )
    copy(connection, fresh)


def share(path: Path) -> float:
    """Return the share of the copy that is written, from 0 to 1, roughly."""
    try:
        return min(1.0, _fresh(path).stat().st_size / path.stat().st_size)
    except FileNotFoundError:  # before, or after
        return 0.0


def swap(path: Path) -> None:
    """Replace *path*, which is closed, by the copy. A crash at any moment leaves a whole file."""
    fresh = _fresh(path)
    if _log_of(path).exists() or _log_of(fresh).exists():
        # A log that was not folded in belongs to its file, and would be read into the other.
        discard(fresh)
        raise StoreUnavailable(f"{path.name} could not be closed cleanly, and stays as it was")
    durable_file.install(fresh, path)


def tidy(path: Path) -> None:
    """Delete what a killed process has left beside *path*."""
    discard(_fresh(path))
    shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)


def discard(path: Path) -> None:
    """Delete the copy."""
    for each in (path, _log_of(path)):
        each.unlink(missing_ok=True)


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".compacted")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _mebibytes(size: int) -> str:
    return f"{-(-size >> 20)} MiB"
