"""Sockets with one deadline for a whole call, which is extended whenever data arrive."""

from __future__ import annotations

import socket
import time
from typing import Any, Final

_LAST_LOOK_S: Final = 0.01
"""Time for a last read, in case this process was paused until the deadline had passed."""


class Deadline:
    """A deadline *seconds* after a call began, or after it last received anything."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """Restart the deadline: a call begins, or has received something."""
        self._at = time.monotonic() + self._seconds

    @property
    def remaining_s(self) -> float:
        """The seconds left until the deadline; never 0."""
        return max(_LAST_LOOK_S, self._at - time.monotonic())

    def share(self, count: int) -> Deadline:
        """Return a deadline for the first of *count* attempts: an equal share of the time left."""
        return Deadline(self.remaining_s / count)


class BoundedSocket:
    """A socket whose operations time out at *deadline*."""

    def __init__(self, channel: socket.socket, deadline: Deadline) -> None:
        self._channel = channel
        self.deadline = deadline

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: the driver's time-out would apply to each operation separately."""

    def connect(self, address: Any) -> None:
        """See `socket.connect`."""
        self._bounded().connect(address)

    def sendall(self, data: bytes, *flags: int) -> None:
        """See `socket.sendall`."""
        self._bounded().sendall(data, *flags)

    def recv_into(self, buffer: bytearray, *size: int) -> int:
        """See `socket.recv_into`."""
        count = self._bounded().recv_into(buffer, *size)
        self.deadline.begin()
        return count

    def shutdown(self, how: int) -> None:
        """See `socket.shutdown`."""
        self._channel.shutdown(how)

    def close(self) -> None:
        """See `socket.close`."""
        self._channel.close()

    def _bounded(self) -> socket.socket:
        self._channel.settimeout(self.deadline.remaining_s)
        return self._channel
