"""A SQLite database in memory, whose image several processes share as one document.

A process that changes something replaces the revision it has with the next one. If another process
was first, it takes over that image and repeats its change on top of it. So a change must depend on
nothing but the database, as those of the catalog do.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

import structlog

from analytics import durable_file, sqlite_file
from analytics.catalog.sqlite.database import Database, Work, forget_salts
from analytics.errors import Misconfigured, StoreUnavailable

log = structlog.get_logger()

T = TypeVar("T")

_LEAVE_ALONE_S: Final = 2.0
FIRST_S: Final = 120.0
"""Seconds that a first start waits for an image: Ignite may have just started, too."""
_AGAIN_S: Final = 1.0


class Document(Protocol):
    """The shared image; see `SharedDocument`."""

    def revision(self) -> int | None:
        """Return the current revision; None if there is none in memory."""

    def load(self) -> tuple[int, bytes] | None:
        """Return the current revision and its body; None if there is none."""

    def replace(self, revision: int, body: bytes) -> bool:
        """Store *body* as *revision*. Return False if another process has changed the document."""

    def close(self) -> None:
        """Close the connection."""


class SharedDatabase(Database):
    """A `Database` shared by several processes."""

    def __init__(self, document: Document, image: Path, *, first_s: float = FIRST_S) -> None:
        super().__init__(":memory:")
        self._first_s = first_s
        self._document = document
        self._file = image
        self._revision = 0
        self._image = b""
        self._had_salts = False  # the image is an older version's
        self._not_before = 0.0
        self._outdated = ""
        """Why nothing may be shared: the image is a newer version's, and must not be replaced."""
        self.pulled: Callable[[], None] = lambda: None
        """Called after another process's image has been taken over."""

    def open(self) -> None:
        """Open the shared image, or create the first; while it is unavailable, open the copy.

        Raise `StoreUnavailable` if there is no copy either and none arrives in *first_s* seconds.
        """
        self._connection = _connected()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        give_up_at = time.monotonic() + self._first_s
        while not self._begun(last=time.monotonic() >= give_up_at):
            time.sleep(_AGAIN_S)

    def _begun(self, *, last: bool) -> bool:
        """Return True once there is an image to start with; on the *last* attempt, else raise."""
        try:
            while not self._pull():
                self._transaction(self._upgrade)
                if self._push():
                    break
            if self._had_salts:
                self._push()
        except StoreUnavailable:
            if self._file.exists():
                log.warning("catalog_from_copy", file=self._file.name)
                self._take(0, self._file.read_bytes())
            elif last:
                raise
            else:
                return False
        return True

    def close(self) -> None:
        """Disconnect."""
        super().close()
        self._document.close()

    def refresh(self) -> None:
        """Take over the changes of other processes, if there are any."""
        with self._lock:
            taken = self._pull_if_newer()
        if taken:
            self.pulled()

    def transact(self, work: Work[T], then: Callable[[T], None] | None = None) -> T:
        """Run *work* in one transaction on the newest image, share the result, and call *then*.

        Raise `StoreUnavailable` for a change while the document is unavailable; reads still work.
        """
        taken = False
        try:
            with self._lock:
                try:
                    taken = self._pull_if_newer()
                except StoreUnavailable as exc:
                    log.warning("catalog_not_refreshed", error=str(exc))
                while True:
                    connection = self._open_connection()
                    before = connection.total_changes
                    result = self._transaction(work)
                    if connection.total_changes == before or self._shared():
                        if then is not None:
                            then(result)
                        return result
                    taken = True
                    self._pull()
        except sqlite3.OperationalError as exc:
            raise StoreUnavailable(f"the catalog cannot be used now: {exc}") from exc
        finally:
            if taken:
                self.pulled()

    def _shared(self) -> bool:
        """Share the changes. Return False if another process was first.

        Undo them and raise `StoreUnavailable` if they cannot be shared.
        """
        try:
            return self._push()
        except StoreUnavailable:
            self._adopt(self._image)
            raise

    def _push(self) -> bool:
        if self._outdated:
            raise StoreUnavailable(self._outdated)
        image = self._open_connection().serialize()
        if not self._document.replace(self._revision + 1, image):
            return False
        self._keep(self._revision + 1, image)
        return True

    def _pull(self) -> bool:
        document = self._document.load()
        if document is None:
            return False
        self._take(*document)
        return True

    def _pull_if_newer(self) -> bool:
        """Return True if another process's image was taken over.

        After a failure, do not ask again for `_LEAVE_ALONE_S` seconds. Raise `StoreUnavailable`.
        """
        now = time.monotonic()
        if now < self._not_before:
            return False
        try:
            # A document evicted from Ignite's memory has no revision; `load` reads it back.
            return self._document.revision() != self._revision and self._pull()
        except StoreUnavailable:
            self._not_before = now + _LEAVE_ALONE_S
            raise

    def _take(self, revision: int, image: bytes) -> None:
        try:
            self._adopt(image)
        except Misconfigured as exc:  # a newer version's
            if not self._image:
                raise
            # Reads go on, so that replicas can be upgraded one after the other.
            self._adopt(self._image)
            self._outdated = f"the catalog cannot be changed from here: {exc}"
            raise StoreUnavailable(self._outdated) from exc
        self._outdated = ""
        self._keep(revision, self._open_connection().serialize() if self._had_salts else image)

    def _adopt(self, image: bytes) -> None:
        """Replace the database by *image*, which a replica of an older version may have written.

        A new connection is needed: statements compiled for the previous image refer to its schema,
        which `deserialize` frees, and SQLite compiles them again only if the two schemas have
        different version numbers.
        """
        self._open_connection().close()
        self._connection = _connected()
        self._connection.deserialize(image)
        self._transaction(self._upgrade)
        self._had_salts = forget_salts(self._connection)

    def _keep(self, revision: int, image: bytes) -> None:
        self._revision, self._image = revision, image
        durable_file.replace(self._file, image)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailable("the catalog is closed")
        return self._connection


def _connected() -> sqlite3.Connection:
    """Return a connection to a new database in memory."""
    connection = sqlite_file.connect(":memory:", sqlite3.Connection, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON").fetchall()
    return connection
