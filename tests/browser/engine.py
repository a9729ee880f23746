"""What the tests ask of a browser, whichever engine it has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from typing import Any, Protocol

import pytest

LONGEST_START_S = 60


class Engine(Protocol):
    """A browser with one tab, driven as its user drives it.

    Clicks are pointer actions: WebDriver's own "Element Click" keeps pages out of Firefox's
    back/forward cache, and hides what happens there.
    """

    async def open(self, url: str) -> None:
        """Open *url* as typed into the address bar; return when it is loaded."""

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript *expression* on the page."""

    async def click(self, selector: str) -> None:
        """Move the pointer to the middle of an element and press its first button."""

    async def back(self) -> None:
        """Go back by one page, as by the browser's button."""

    async def leave(self) -> None:
        """Close the tab that shows the page; the browser itself goes on where it can."""

    async def quit(self) -> None:
        """Close the browser, as its menu does; return when its process has ended."""

    async def kill(self) -> None:
        """End the browser's processes at once, as a crash does."""


def executable(variable: str, package: str, *names: str) -> str:
    """Return the path of a browser, or fail the test with what to install."""
    path = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail(
            f"{names[0]} is missing: `apt-get install {package}`, or set {variable} to its path"
        )
    return path


async def launch(*command: str, home: Path, **environment: str) -> Process:
    """Start a browser (or its driver) in a process group of its own, with *home* to write in."""
    home.mkdir(parents=True, exist_ok=True)
    folders = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    return await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **folders, **environment},
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )


async def end(process: Process) -> None:
    """Kill what *process* started, and itself; do nothing where it has ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
