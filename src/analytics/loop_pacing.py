"""The turnstile: a crowd that comes at once goes in one by one, and the event loop turns meanwhile.

All that a loop can do in a turn, it does before it looks for input again. Forty pages that begin
in the same turn would hold up whoever sends an event for as long as they take together.
"""

from __future__ import annotations

import asyncio


class LoopPacer:
    """Lets one coroutine through in each turn of the event loop, in the order of their coming."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def enter(self) -> None:
        """Return when it is the caller's turn, which is another turn of the loop."""
        async with self._lock:
            await asyncio.sleep(0)
