"""What takes long in Python is done beside the event loop, and gives way to it."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from analytics.cpu_thread import run_in_cpu_thread


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own there")
async def test_it_gives_way_to_the_event_loop() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await run_in_cpu_thread(priority) > priority()
