"""A deadline for all that one call does on its sockets, as long as nothing comes back."""

from __future__ import annotations

import socket
import time
from typing import Any, Final

_LAST_LOOK_S: Final = 0.01
"""What has come is read, though this process was kept from looking until it was too late."""


class Deadline:
    """When a call ends that has had no answer: *seconds* after it began, or anything came."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """Start the time of a call, at its beginning or when anything has come."""
        self._at = time.monotonic() + self._seconds

    @property
    def remaining_s(self) -> float:
        """The seconds that are left."""
        return max(_LAST_LOOK_S, self._at - time.monotonic())

    def share(self, count: int) -> Deadline:
        """A deadline for the first of *count* attempts, which leaves time for the others."""
        return Deadline(self.remaining_s / count)


class BoundedSocket:
    """A socket none of whose operations goes on after *deadline*."""

    def __init__(self, channel: socket.socket, deadline: Deadline) -> None:
        self._channel = channel
        self.deadline = deadline

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing: a time-out that the driver sets would hold for each operation anew."""

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
