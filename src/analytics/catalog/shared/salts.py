"""The salts of a cluster: a shared document, and a copy in each replica's salt files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import Lock
from typing import Final

import msgspec

from analytics.catalog.salts import Salt, SaltFolder, renewed
from analytics.catalog.shared.database import Document
from analytics.errors import StoreUnavailable

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[int, Salt]).decode


class SharedSalts:
    """A `SaltKeeper` for several processes: if two make a day's salt, both use the first."""

    def __init__(self, document: Document, folder: SaltFolder) -> None:
        self._document = document
        self._folder = folder
        self._lock = Lock()
        self._revision = 0

    def load(self) -> Mapping[int, Salt]:
        """Return the shared salts; while they are unavailable, this replica's copy."""
        with self._lock:
            try:
                salts = self._shared()
            except StoreUnavailable:
                return self._folder.load()
            self._folder.keep(salts)
            return salts

    def newer(self) -> Mapping[int, Salt] | None:
        """Return the shared salts if another process has changed them, else None."""
        with self._lock:
            if self._document.revision() in (None, self._revision):
                return None
        return self.load()

    def make(self, days: Collection[int], today: int) -> Mapping[int, Salt]:
        """See `SaltKeeper.make`."""
        with self._lock:
            while True:
                shared = self._shared()
                salts = renewed(shared, days, today)
                if salts == shared:
                    break
                if self._document.replace(self._revision + 1, _encode(salts)):
                    self._revision += 1
                    break
            self._folder.keep(salts)
            return salts

    def close(self) -> None:
        """Close the connection of the document."""
        with self._lock:
            self._document.close()

    def _shared(self) -> Mapping[int, Salt]:
        document = self._document.load()
        if document is None:
            self._revision = 0
            return {}
        self._revision, body = document
        return _decode(body)
