"""One thread that interrupts statements at their deadline, or when their client disconnects."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol

from analytics.errors import QueryTooLong, ReaderLeft, StoreUnavailable

_AGAIN_AFTER_S: Final = 0.05


class Interruptible(Protocol):
    """A connection whose statement another thread can interrupt."""

    def interrupt(self) -> None:
        """Make the running statement fail, if there is one."""


class _Deadline:
    """The time until which one step may run."""

    def __init__(self, connection: Interruptible, due: float) -> None:
        self.connection = connection
        self.due = due
        """By the monotonic clock."""
        self.passed = False


class Cancellation:
    """Cancels one step, from any thread, when nothing waits for it any more."""

    def __init__(self) -> None:
        self.left = False
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None

    def reader_left(self) -> None:
        """Interrupt the step now, or as soon as it starts."""
        with self._lock:
            self.left = True
            interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def begun(self, interrupt: Callable[[], None]) -> None:
        """Record that the step has started, and that *interrupt* stops it."""
        with self._lock:
            self._interrupt = interrupt
            remaining = self.left
        if remaining:
            interrupt()


class Deadlines:
    """Watches any number of connections with one thread, which starts when needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[_Deadline] = set()
        self._wakes_at = float("-inf")
        """When the thread looks next without being told to; before it runs, it need not be told."""
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def interrupting(
        self, connection: Interruptible, after_s: float | None, recall: Cancellation | None = None
    ) -> Iterator[None]:
        """Interrupt what runs on *connection* in the block after *after_s* seconds.

        Also when *recall* says so. Raises `QueryTooLong` or `ReaderLeft` in place of the error that
        comes of it.
        """
        due = float("inf") if after_s is None else time.monotonic() + after_s
        deadline = _Deadline(connection, due)
        self._begin(deadline)
        if recall is not None:
            recall.begun(partial(self._expire, deadline))
        try:
            yield
        except StoreUnavailable as exc:
            if not deadline.passed:
                raise
            if recall is not None and recall.left:
                raise ReaderLeft("The reader went away before the question was answered.") from exc
            raise QueryTooLong(
                f"The answer took longer than {after_s:g} s and was given up. Ask for a shorter"
                " period or with fewer filters, or raise store.query_timeout_s."
            ) from exc
        finally:
            with self._changed:  # interrupts come under this lock, so none meets what runs next
                self._running.discard(deadline)

    def _expire(self, deadline: _Deadline) -> None:
        """Expire *deadline* now, unless its step has ended."""
        with self._changed:
            if deadline in self._running:
                deadline.due = float("-inf")
                self._changed.notify()

    def close(self) -> None:
        """End the thread; statements still running are no longer interrupted."""
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
