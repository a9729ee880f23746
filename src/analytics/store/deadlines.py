"""Deadlines: one thread interrupts whatever runs for longer than it may."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from analytics.errors import QueryTooLong, StoreUnavailable

_AGAIN_AFTER_S: Final = 0.05


class Interruptible(Protocol):
    """What runs statements, and can be made to stop from another thread."""

    def interrupt(self) -> None:
        """Make the statement that runs now fail, if one does."""


class _Deadline:
    """Until when one piece of work may run."""

    def __init__(self, connection: Interruptible, due: float) -> None:
        self.connection = connection
        self.due = due
        """By the monotonic clock."""
        self.passed = False


class Deadlines:
    """Watches over any number of connections with a single thread, which starts when needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[_Deadline] = set()
        self._wakes_at = float("-inf")
        """When the thread looks next without being told to; before it runs, it need not be told."""
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def interrupting(self, connection: Interruptible, after_s: float) -> Iterator[None]:
        """Interrupt what runs on *connection* in the block once *after_s* seconds are over.

        Raises `QueryTooLong` in place of the error that comes of it.
        """
        deadline = _Deadline(connection, time.monotonic() + after_s)
        self._begin(deadline)
        try:
            yield
        except StoreUnavailable as exc:
            if not deadline.passed:
                raise
            raise QueryTooLong(
                f"The answer took longer than {after_s:g} s and was given up. Ask for a shorter"
                " period or with fewer filters, or raise store.query_timeout_s."
            ) from exc
        finally:
            with self._changed:  # interrupts come under this lock, so none meets what runs next
                self._running.discard(deadline)

    def close(self) -> None:
        """End the thread; what still runs is not interrupted any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, deadline: _Deadline) -> None:
        with self._changed:
            self._running.add(deadline)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._watch, name="store-deadlines", daemon=True
                )
                self._thread.start()
            elif deadline.due < self._wakes_at:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for deadline in self._running:
                    if deadline.due <= now:
                        deadline.passed = True
                        deadline.connection.interrupt()
                        # Again and again: it may have come between two statements.
                        deadline.due = now + _AGAIN_AFTER_S
                self._wakes_at = min((each.due for each in self._running), default=float("inf"))
                self._changed.wait(None if self._wakes_at == float("inf") else self._wakes_at - now)
