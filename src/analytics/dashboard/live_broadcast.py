"""Live messages to the open pages of a site, read from the store once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog

from analytics import caller
from analytics.errors import Unavailable

log = structlog.get_logger()

ReadFigures = Callable[[], Awaitable[Mapping[str, object]]]
"""Returns the figures of now. Raises `Unavailable` while the store cannot answer."""
LOOK_UP_S: Final = 0.5
"""The seconds between two checks whether the server is shutting down."""
BEAT_S: Final = 10.0
"""The most seconds between two messages: visitors stop being current without any event."""
PAUSE_S: Final = 1.0
"""The least seconds between two reads of the store, however often rows are stored."""


class LiveMessage(NamedTuple):
    """The figures of one moment."""

    data: Mapping[str, object] | None
    """None while the store cannot answer."""
    stored: int
    """How many times rows had been stored since the broadcast began."""


class LiveBroadcast:
    """The messages of one site, made as long as there is a reader.

    *changed* is `DashboardContext.changed`, *stopping* is `DashboardContext.stopping`.
    """

    def __init__(
        self,
        read_figures: ReadFigures,
        changed: Callable[[], AsyncIterator[None]],
        stopping: Callable[[], bool],
        *,
        beat_s: float = BEAT_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._read_figures = read_figures
        self._follow = changed
        self._stopping = stopping
        self._beat_s = beat_s
        self._pause_s = pause_s
        self._readers = 0
        self._writing: asyncio.Task[None] | None = None
        self._message: LiveMessage | None = None
        self._number = 0
        self._ended = False
        self._changed = asyncio.Event()

    def enter(self) -> None:
        """Add a reader; the first one starts the broadcast."""
        self._readers += 1
        if self._writing is None:
            with caller.on_behalf_of(None):  # an open page takes no turn of its reader
                self._writing = asyncio.create_task(self._write(), name="board")

    def leave(self) -> bool:
        """Remove a reader. Return True if it was the last one, so that the broadcast has ended."""
        self._readers -= 1
        if self._readers == 0 and self._writing is not None:
            self._writing.cancel()
        return self._readers == 0

    async def read(self) -> AsyncIterator[LiveMessage]:
        """Yield the newest message, and each newer one, until the broadcast ends."""
        last = 0
        while True:
            changed = self._changed
            if self._message is not None and self._number > last:
                last = self._number
                yield self._message
            elif self._ended:
                return
            else:
                await changed.wait()

    async def _write(self) -> None:
        changes = self._follow()
        step = asyncio.ensure_future(_step(changes))
        stored = 0
        try:
            while True:
                try:
                    self._publish(LiveMessage(await self._read_figures(), stored))
                except Unavailable:
                    self._publish(LiveMessage(None, stored))
                await asyncio.sleep(self._pause_s)
                await _wait(step, self._beat_s, self._stopping)
                if self._stopping():
                    return
                if step.done():
                    if not step.result():
                        return
                    stored += 1
                    step = asyncio.ensure_future(_step(changes))
        except Exception:
            log.exception("board_failed")  # the pages reconnect, and begin a new one
        finally:
            step.cancel()
            self._ended = True
            self._wake()

    def _publish(self, message: LiveMessage) -> None:
        self._message = message
        self._number += 1
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class LiveBroadcasts:
    """The broadcasts of all sites with open pages."""

    def __init__(self) -> None:
        self._boards: dict[str, LiveBroadcast] = {}

    @asynccontextmanager
    async def of(
        self, site: str, make: Callable[[], LiveBroadcast]
    ) -> AsyncIterator[LiveBroadcast]:
        """Yield the broadcast of *site*, which goes on at least as long as the block runs."""
        board = self._boards.get(site)
        if board is None:
            board = self._boards[site] = make()
        board.enter()
        try:
            yield board
        finally:
            if board.leave() and self._boards.get(site) is board:
                del self._boards[site]


async def _wait(step: asyncio.Future[bool], most_s: float, stopping: Callable[[], bool]) -> None:
    """Wait for *step*, at most *most_s* seconds, and return early when the server stops."""
    remaining = most_s
    while remaining > 0 and not stopping():
        done, _ = await asyncio.wait({step}, timeout=min(remaining, LOOK_UP_S))
        if done:
            return
        remaining -= LOOK_UP_S


async def _step(changes: AsyncIterator[None]) -> bool:
    """Wait for the next change; return False when there are no more."""
    try:
        await anext(changes)
    except StopAsyncIteration:
        return False
    return True
