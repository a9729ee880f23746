"""Starts coroutines one per turn of the event loop, so that a burst of them does not block it.

A loop runs everything that is ready before it polls for input again. Forty pages that begin in the
same turn would delay an event for as long as they take together.
"""

from __future__ import annotations

import asyncio


class LoopPacer:
    """Lets one coroutine pass in each turn of the event loop, first come, first served."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def enter(self) -> None:
        """Return when it is the caller's turn, which is another turn of the loop."""
        async with self._lock:
            await asyncio.sleep(0)
