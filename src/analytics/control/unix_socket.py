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
"""Bytes; a socket's address is limited to little more. Longer paths go through /proc."""


def listen(path: Path) -> socket.socket:
    """Return a listening socket at *path*, for its owner only. Raise `Misconfigured`.

    Only the process that has locked the data folder may call this: an old socket is replaced.
    """
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
        raise Misconfigured(f"{path}: the socket for commands cannot be created: {exc}") from exc
    return listener


def connect(path: Path) -> socket.socket | None:
    """Return a connection to the server at *path*, None if none runs. Raise `Misconfigured`."""
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
