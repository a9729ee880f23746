"""Replaces files as a whole: a crash leaves the old or the new one; detects replaced files."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, content: bytes, *, temporary: Path | None = None) -> None:
    """Write *content* to *path*, readable by its owner alone, and return once it is durable.

    The content is written to *temporary* first, by default the path with `.new` appended. Name
    another one in the same folder where several processes may replace the file at once. Raise
    `OSError` if the file cannot be written; *path* keeps its old content then.
    """
    fresh = temporary or path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    install(fresh, path)


def install(fresh: Path, path: Path) -> None:
    """Rename *fresh*, a complete file in the same folder, to *path*; return once that is durable.

    Raise `OSError` on failure.
    """
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of the files in *folder* durable. Raise `OSError` on failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file at *path* is replaced; None if it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
