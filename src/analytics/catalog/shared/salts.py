"""The salts of a cluster: one document of their own, and each replica's copy in files by day."""

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
    """A `SaltKeeper` of several processes: of two that make a day's salt, one is first."""

    def __init__(self, document: Document, folder: SaltFolder) -> None:
        self._document = document
        self._folder = folder
        self._lock = Lock()
        self._revision = 0

    def load(self) -> Mapping[int, Salt]:
        """Return those that all share; while they are away, this replica's copy."""
        with self._lock:
            try:
                salts = self._shared()
            except StoreUnavailable:
                return self._folder.load()
            self._folder.keep(salts)
            return salts

    def newer(self) -> Mapping[int, Salt] | None:
        """Return them if another process has changed them, else None."""
        with self._lock:
            if self._document.revision() in (None, self._revision):
                return None
        return self.load()

    def make(self, days: Collection[int], today: int) -> Mapping[int, Salt]:
        """See `SaltKeeper.make`."""
        with self._lock:
            while True:
                known = self._shared()
                salts = renewed(known, days, today)
                if salts == known:
                    break
                if self._document.replace(self._revision + 1, _encode(salts)):
                    self._revision += 1
                    break
            self._folder.keep(salts)
            return salts

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._document.close()

    def _shared(self) -> Mapping[int, Salt]:
        there = self._document.load()
        self._revision = 0 if there is None else there[0]
        return {} if there is None else _decode(there[1])
