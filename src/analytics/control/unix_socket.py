"""The unix socket in the data folder, through which commands reach the server that owns it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from analytics.errors import Misconfigured

BACKLOG: Final = 16
_MAX_PATH: Final = 100
"""A socket's address has room for little more; a deep folder is reached by its descriptor."""


def listen(path: Path) -> socket.socket:
    """A listening socket at *path*, for its owner only; whoever holds the folder may call it."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise Misconfigured(f"{path}: the socket for commands cannot be made: {exc}") from exc
    return listener


def connect(path: Path) -> socket.socket | None:
    """A connection to the server behind *path*; None when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except OSError as exc:
        connection.close()
        raise Misconfigured(f"{path}: the server's socket cannot be used: {exc}") from exc
    return connection


@contextmanager
def _address(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= _MAX_PATH or sys.platform != "linux":
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
