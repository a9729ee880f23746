"""Chromium, started as its users start it and driven over the DevTools protocol.

Playwright's own start would switch the back/forward cache off.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Playwright, async_playwright
from tests.browser.engine import LONGEST_START_S, end, executable, launch

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return the path of Chromium, or fail the test with what to install."""
    return executable("CHROMIUM", "chromium", "chromium", "chromium-browser")


class Chromium:
    """Chromium with a profile of its own; see `Engine`."""

    def __init__(
        self, process: Process, playwright: Playwright, browser: Browser, page: Page
    ) -> None:
        self._process = process
        self._playwright = playwright
        self._browser = browser
        self._page = page

    @classmethod
    async def start(cls, profile: Path) -> Chromium:
        """Start on *profile*, which is made if it is not there."""
        ports = profile / "DevToolsActivePort"
        ports.unlink(missing_ok=True)
        process = await launch(
            chromium(), *FLAGS, "--headless=new", "--remote-debugging-port=0",
            "--password-store=basic", f"--user-data-dir={profile}", "about:blank",
            home=profile / "home",
        )  # fmt: skip
        playwright = await async_playwright().start()
        try:
            async with asyncio.timeout(LONGEST_START_S):
                while not ports.exists() or "\n" not in ports.read_text():
                    assert process.returncode is None, "Chromium ended at its start"
                    await asyncio.sleep(0.05)
                port = ports.read_text().splitlines()[0]
                browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        except BaseException:
            await playwright.stop()
            await end(process)
            raise
        (context,) = browser.contexts
        return cls(process, playwright, browser, context.pages[0])

    async def open(self, url: str) -> None:
        """Open *url* and wait until it is loaded."""
        await self._page.goto(url)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript *expression* on the page."""
        return await self._page.evaluate(expression)

    async def click(self, selector: str) -> None:
        """Press the mouse's first button in the middle of an element."""
        box = await self._page.locator(selector).bounding_box()
        assert box is not None, f"{selector} is not to be seen"
        await self._page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    async def back(self) -> None:
        """Go back by one page."""
        await self._page.go_back(wait_until="commit")

    async def leave(self) -> None:
        """Close the tab, with another one open: without it Chromium would quit."""
        other = await self._browser.contexts[0].new_page()
        await self._page.close()
        self._page = other

    async def quit(self) -> None:
        """Close the browser's windows and quit; `Browser.close` would end it without that."""
        self._process.send_signal(signal.SIGINT)
        await self._process.wait()
        await self._playwright.stop()

    async def kill(self) -> None:
        """Kill all of its processes."""
        await end(self._process)
        await self._playwright.stop()
