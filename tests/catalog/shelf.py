"""A place for documents that several catalogs share, and that can be away."""

from __future__ import annotations

import threading

from analytics.errors import StoreUnavailable


class Shelf:
    """Where documents lie; several processes have it."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, bytes]] = {}
        self.away = False
        self.asked_by: set[str] = set()
        """The names of the threads that have waited for it."""


class ShelfDocument:
    """One process's view of it."""

    def __init__(self, shelf: Shelf, name: str = "catalog") -> None:
        self._shelf = shelf
        self._name = name
        self._known: tuple[int, bytes] | None = None

    def _reach(self) -> Shelf:
        self._shelf.asked_by.add(threading.current_thread().name)
        if self._shelf.away:
            raise StoreUnavailable("away")
        return self._shelf

    def revision(self) -> int | None:
        there = self._reach().documents.get(self._name)
        return None if there is None else there[0]

    def load(self) -> tuple[int, bytes] | None:
        self._known = self._reach().documents.get(self._name)
        return self._known

    def replace(self, revision: int, body: bytes) -> bool:
        if self._reach().documents.get(self._name) != self._known:
            return False
        self._known = self._shelf.documents[self._name] = (revision, body)
        return True

    def close(self) -> None:
        pass
