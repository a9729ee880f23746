"""One thread for CPU-bound Python that must not block the event loop.

Only one, because such threads share the GIL with the event loop: each further thread would take a
share of the time in which events are answered.
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
    """Lower the priority of this thread below the event loop's, on systems that allow it.

    Threads that it starts inherit the priority.
    """
    if sys.platform == "linux":
        of_the_loop = os.getpriority(os.PRIO_PROCESS, os.getpid())
        niceness = min(of_the_loop + _NICER_BY, _NICEST)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


_THREAD: Final = ThreadPoolExecutor(1, "aside", initializer=lower_priority)


async def run_in_cpu_thread(step: Callable[[], T]) -> T:
    """Run *step* in the thread beside the event loop, and return its result."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, copy_context().run, step)
