"""Locks a file, so that one process at a time does something."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.errors import FolderInUse


@contextmanager
def exclusive(path: Path, in_use: Callable[[], str]) -> Iterator[int]:
    """Lock the file at *path* while the block runs, and yield its file descriptor.

    The file is created if missing, readable by its owner alone. The lock ends with the process
    that holds it, however that ends. Raise `FolderInUse` with the message that *in_use* returns
    if another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(in_use()) from None
        yield descriptor
    finally:
        os.close(descriptor)  # which unlocks
