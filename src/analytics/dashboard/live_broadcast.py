"""What the open pages of a site tell: found out once, however many of them there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog

from analytics import caller
from analytics.errors import Unavailable

log = structlog.get_logger()

FindOut = Callable[[], Awaitable[Mapping[str, object]]]
"""Return what there is to tell now. Raises `Unavailable` while the store cannot answer."""
LOOK_UP_S: Final = 0.5
BEAT_S: Final = 10.0
"""Visitors stop being current without any event, so a board is also written by the clock."""
PAUSE_S: Final = 1.0
"""The least time between two looks, however much is stored."""


class LiveMessage(NamedTuple):
    """What there was to tell at one moment."""

    data: Mapping[str, object] | None
    """None while the store cannot answer."""
    stored: int
    """How often rows had been stored since the board was put up."""


class LiveBroadcast:
    """One site's board. It is written while somebody reads it.

    *changed* follows the store, and *stopping* tells whether the server is on its way out.
    """

    def __init__(
        self,
        find_out: FindOut,
        changed: Callable[[], AsyncIterator[None]],
        stopping: Callable[[], bool],
        *,
        beat_s: float = BEAT_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._find_out = find_out
        self._follow = changed
        self._stopping = stopping
        self._beat_s = beat_s
        self._pause_s = pause_s
        self._readers = 0
        self._writing: asyncio.Task[None] | None = None
        self._told: LiveMessage | None = None
        self._number = 0
        self._ended = False
        self._changed = asyncio.Event()

    def enter(self) -> None:
        """One more reads it."""
        self._readers += 1
        if self._writing is None:
            with caller.on_behalf_of(None):  # a page that lies open has no turn among readers
                self._writing = asyncio.create_task(self._write(), name="board")

    def leave(self) -> bool:
        """One less reads it; return whether nobody does, and it was taken down."""
        self._readers -= 1
        if self._readers == 0 and self._writing is not None:
            self._writing.cancel()
        return self._readers == 0

    async def read(self) -> AsyncIterator[LiveMessage]:
        """Yield what it says, now and whenever that was found out anew, until it is taken down."""
        read = 0
        while True:
            changed = self._changed
            if self._told is not None and self._number > read:
                read = self._number
                yield self._told
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
                    self._tell(LiveMessage(await self._find_out(), stored))
                except Unavailable:
                    self._tell(LiveMessage(None, stored))
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
            log.exception("board_failed")  # the pages ask again, for a new one
        finally:
            step.cancel()
            self._ended = True
            self._wake()

    def _tell(self, told: LiveMessage) -> None:
        self._told = told
        self._number += 1
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class LiveBroadcasts:
    """The boards of all sites that somebody looks at."""

    def __init__(self) -> None:
        self._boards: dict[str, LiveBroadcast] = {}

    @asynccontextmanager
    async def of(
        self, site: str, make: Callable[[], LiveBroadcast]
    ) -> AsyncIterator[LiveBroadcast]:
        """The board of *site*, which is there at least as long as the block runs."""
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
    """Wait for *step*, at most *most_s*, looking up now and then whether the server stops."""
    left = most_s
    while left > 0 and not stopping():
        done, _ = await asyncio.wait({step}, timeout=min(left, LOOK_UP_S))
        if done:
            return
        left -= LOOK_UP_S


async def _step(changes: AsyncIterator[None]) -> bool:
    """Wait for the next change; False when there will be none."""
    try:
        await anext(changes)
    except StopAsyncIteration:
        return False
    return True
