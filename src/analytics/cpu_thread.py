"""One thread for what takes long in Python and is not for the event loop.

One, because such threads share the interpreter with the loop: each further one would take a share
of the time in which events are answered.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

_NICER_BY: Final = 10
_NICEST: Final = 19


def lower_priority() -> None:
    """Let the system run this thread after the event loop's, where threads have priorities.

    Threads that it starts inherit that.
    """
    if sys.platform == "linux":
        of_the_loop = os.getpriority(os.PRIO_PROCESS, os.getpid())
        niceness = min(of_the_loop + _NICER_BY, _NICEST)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


_THREAD: Final = ThreadPoolExecutor(1, "aside", initializer=lower_priority)


async def run_in_cpu_thread(step: Callable[[], T]) -> T:
    """Return what *step* returns, from the thread beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, copy_context().run, step)
