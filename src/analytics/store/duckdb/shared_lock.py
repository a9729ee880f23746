"""A lock that many tasks hold at once, or one exclusively (a readers-writer lock)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SharedLock:
    """For one event loop. The exclusive holder waits for shared ones, and keeps new ones out."""

    def __init__(self, *, patient: bool) -> None:
        """If *patient*, new shared holders enter until the lock happens to be free."""
        self._patient = patient
        self._inside = 0
        self._waiting = 0
        self._alone = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold the lock together with others."""
        if self._closed():
            async with self._changed:
                await self._changed.wait_for(lambda: not self._closed())
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._waiting and not self._inside:
                # At once: a patient one would otherwise wait for a gap for ever.
                self._alone = True
                await asyncio.shield(self._tell())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the lock exclusively. The caller must not call it twice at once."""
        self._waiting += 1
        try:
            if self._inside:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._inside)
            self._alone = True
            yield
        finally:
            self._waiting -= 1
            self._alone = False
            await asyncio.shield(self._tell())

    def _closed(self) -> bool:
        return self._alone or (self._waiting > 0 and not self._patient)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
