"""One thread for what takes long in Python and is not for the event loop.

One, because such threads share the interpreter with the loop: each further one would take a share
of the time in which events are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

_THREAD: Final = ThreadPoolExecutor(1, "aside")


async def aside(step: Callable[[], T]) -> T:
    """Return what *step* returns, from the thread beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, copy_context().run, step)
