"""Limits the bytes of unfinished requests that this process holds, and per sender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.types import Scope

from analytics import bounds
from analytics.errors import UploadsFull
from analytics.ingest.addresses import peer_address
from analytics.limiter import sender

_SHARES: Final = 4
"""The share of one sender, as a divisor of the whole."""


def by_peer(scope: Scope) -> str:
    """Return the network of the peer."""
    return sender(peer_address(scope))


class Uploads:
    """Counts bodies on their way in: *most* bytes altogether, and a quarter of that of one sender.

    *sender_of* names the sender of a request; "" is for this machine, which has no share.
    """

    def __init__(
        self, most: int = bounds.UPLOAD_BYTES, sender_of: Callable[[Scope], str] = by_peer
    ) -> None:
        self._most = most
        self._sender_of = sender_of
        self.held = 0
        """Bytes held now."""
        self._held_of: dict[str, int] = {}

    def begin(self, scope: Scope) -> Upload:
        """Return what counts the body of the request *scope*."""
        return Upload(self, self._sender_of(scope))

    def take(self, name: str, size: int) -> None:
        """Count *size* more bytes of the sender *name*. Raises `UploadsFull`."""
        of_sender = self._held_of.get(name, 0) + size
        if self.held + size > self._most or (name and of_sender > self._most // _SHARES):
            raise UploadsFull(
                "too much of unfinished requests is on its way; send it again in a moment",
                retry_after=bounds.UPLOADS_FULL_S,
            )
        self.held += size
        self._held_of[name] = of_sender

    def release(self, name: str, size: int) -> None:
        """Stop counting *size* bytes of the sender *name*."""
        self.held -= size
        self._held_of[name] -= size
        if not self._held_of[name]:
            del self._held_of[name]


class Upload:
    """The counted bytes of one connection's requests; the first bytes of each are free."""

    def __init__(self, uploads: Uploads, name: str) -> None:
        self._uploads = uploads
        self._name = name
        self._size = 0
        self._counted = 0

    def grow(self, size: int) -> None:
        """Count *size* more bytes. Raises `UploadsFull`; then they must not be kept."""
        beyond = self._size + size - bounds.FREE_UPLOAD_BYTES - self._counted
        if beyond > 0:
            self._uploads.take(self._name, beyond)
            self._counted += beyond
        self._size += size

    def end(self) -> None:
        """Stop counting all of it."""
        if self._counted:
            self._uploads.release(self._name, self._counted)
            self._counted = 0
