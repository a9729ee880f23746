"""Thread pools for blocking database calls: one writer, a few readers, two for long jobs.

Queries wait for a reader in a `QueryQueue`. The server's own lookups (the projector's, the current
visitors) have threads of their own, so that many queries cannot delay processing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from analytics import caller
from analytics.cpu_thread import lower_priority
from analytics.errors import StoreUnavailable
from analytics.store.base import Progress
from analytics.store.connection import Connection
from analytics.store.duckdb.deadlines import Cancellation, Deadlines
from analytics.store.duckdb.shared_lock import SharedLock
from analytics.store.query_queue import QueryQueue

T = TypeVar("T")
_END: Final = object()
_PROGRESS_EVERY_S: Final = 0.2


class OpenDatabase(Protocol):
    """An open database that gives each thread a connection of its own."""

    broken: bool
    """Whether it must be opened anew before it can write again."""

    def connect(self) -> Connection:
        """Return a new connection, for one thread."""

    def close(self) -> None:
        """Close every connection; statements that run on them fail."""


class StoreThreads:
    """Runs functions of a `Connection` off the event loop."""

    def __init__(
        self, open_engine: Callable[[], OpenDatabase], *, readers: int, queue_timeout_s: float
    ) -> None:
        self._open = open_engine
        self._writing = ThreadPoolExecutor(1, "store-writer")
        self._reading = QueryQueue("store-reader", readers, patience_s=queue_timeout_s)
        self._own_reading = ThreadPoolExecutor(2, "store-own-reader")
        self._working = ThreadPoolExecutor(2, "store-worker")
        self._reads = SharedLock(patient=False)
        self._work = SharedLock(patient=True)
        self._renewing = asyncio.Lock()
        self._deadlines = Deadlines()
        self._lock = threading.Lock()
        self._engine: OpenDatabase | None = None
        self._writer: Connection | None = None
        self._own = threading.local()

    async def open(self) -> None:
        """Open the engine, and raise its errors."""
        await self._run(self._writing, self._opened)

    async def close(self) -> None:
        """Finish running steps, refuse new ones, and close the engine."""
        await asyncio.to_thread(self._reading.close)
        await asyncio.to_thread(self._own_reading.shutdown)
        await asyncio.to_thread(self._working.shutdown)
        try:
            await self._run(self._writing, self._closed)
        finally:
            await asyncio.to_thread(self._writing.shutdown)
            await asyncio.to_thread(self._deadlines.close)

    async def write(self, step: Callable[[Connection], T]) -> T:
        """Run *step* on the writing thread, after those before it."""
        async with self._work.shared():
            return await self._run(self._writing, lambda: step(self._opened()))

    async def renew(self, prepare: Callable[[Connection], None], swap: Callable[[], None]) -> None:
        """Run *prepare* while nothing is written, then *swap* while no connection is open.

        It waits for long jobs first. Writes wait for both steps, queries only for *swap*.
        """
        async with self._renewing, self._work.alone():
            await self._run(self._writing, lambda: prepare(self._opened()))
            async with self._reads.alone():
                await self._run(self._writing, lambda: self._swapped(swap))

    async def read(self, step: Callable[[Connection], T], *, at_most_s: float | None = None) -> T:
        """Run *step* on a reading thread: in its caller's turn, or at once without a caller.

        Raise `Busy` if the caller has waited too long, `QueryTooLong` if the step has run for
        *at_most_s* seconds, and `ReaderLeft` if the client disconnects; the step is interrupted.
        """
        cancellation = Cancellation()
        async with self._reads.shared():
            if caller.current() is None:
                return await self._run(
                    self._own_reading, lambda: self._read(step, at_most_s, cancellation)
                )
            return await self._reading.run(
                lambda: self._read(step, at_most_s, cancellation), stop=cancellation.reader_left
            )

    async def stream(self, step: Callable[[Connection], Iterator[T]]) -> AsyncGenerator[T, None]:
        """Yield what *step* yields, from a connection of its own, which `renew` closes."""
        connection = await self._run(self._working, self._new)
        try:
            items = step(connection)
            while (item := await self._run(self._working, lambda: next(items, _END))) is not _END:
                yield item  # type: ignore[misc]  # mypy cannot tell the sentinel from T
        finally:
            await asyncio.to_thread(connection.close)

    async def watch(self, step: Callable[[Connection], T], progress: Progress) -> T:
        """Run a long *step* on a connection of its own, and report to *progress*.

        On cancellation, it stops the step before it returns.
        """
        async with self._work.shared():
            return await self._watch(step, progress)

    async def _watch(self, step: Callable[[Connection], T], progress: Progress) -> T:
        connection = await self._run(self._working, self._new)
        running = asyncio.ensure_future(self._run(self._working, lambda: step(connection)))
        try:
            while not running.done():
                await asyncio.wait([running], timeout=_PROGRESS_EVERY_S)
                progress(1.0 if running.done() else connection.progress())
            return running.result()
        finally:
            await asyncio.to_thread(connection.close)
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # retrieved, so that asyncio does not log it

    def _read(
        self, step: Callable[[Connection], T], at_most_s: float | None, cancellation: Cancellation
    ) -> T:
        connection = self._reader()
        with self._deadlines.interrupting(connection, at_most_s, cancellation):
            return step(connection)

    async def _run(self, pool: ThreadPoolExecutor, step: Callable[[], T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(pool, step)
        except RuntimeError as exc:  # the pool was shut down
            raise StoreUnavailable("The store is closed.") from exc
        return await future

    def _opened(self) -> Connection:
        """Return the writer's connection; open the engine first if it is closed or broken."""
        with self._lock:
            if self._engine is not None and self._engine.broken:
                self._engine.close()
                self._engine = self._writer = None
            if self._engine is None or self._writer is None:
                # What the engine runs in threads of its own gives way to the event loop too.
                with ThreadPoolExecutor(1, "store-opener", initializer=lower_priority) as opener:
                    self._engine = opener.submit(self._open).result()
                self._writer = self._engine.connect()
            return self._writer

    def _new(self) -> Connection:
        self._opened()
        with self._lock:
            if self._engine is None:
                raise StoreUnavailable("The store is closed.")
            return self._engine.connect()

    def _reader(self) -> Connection:
        """Return this thread's connection to the engine that is open now."""
        engine = self._engine
        if engine is None or engine.broken or getattr(self._own, "engine", None) is not engine:
            self._own.connection = self._new()
            self._own.engine = self._engine
        connection: Connection = self._own.connection
        return connection

    def _swapped(self, swap: Callable[[], None]) -> None:
        self._closed()
        try:
            swap()
        finally:
            self._opened()

    def _closed(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = self._writer = None
