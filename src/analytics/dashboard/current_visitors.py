"""The number of current visitors of each site, counted once for all open pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from analytics import caller

_EVERY_S: Final = 0.5


class Counting(Protocol):
    """The part of a store that counts current visitors."""

    async def current(self, now: int) -> Mapping[str, int]:
        """As `Overviews.current`."""


class CurrentVisitors:
    """Counts all sites in one query, at most every half second, however many pages are open."""

    def __init__(
        self, store: Counting, clock: Callable[[], int], *, every_s: float = _EVERY_S
    ) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._began = float("-inf")
        self._next: asyncio.Task[Mapping[str, int]] | None = None

    async def of(self, site: str) -> int:
        """Return the current visitors of *site*, by a count that begins after this call."""
        if self._next is None:
            # The count serves all readers, so it must not use up the turn of one.
            with caller.on_behalf_of(None):
                self._next = asyncio.create_task(self._count(), name="current-visitors")
        return (await asyncio.shield(self._next)).get(site, 0)

    async def _count(self) -> Mapping[str, int]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._began + self._every_s - loop.time()))
        self._next, self._began = None, loop.time()
        return await self._store.current(self._clock())
