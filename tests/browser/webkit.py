"""WebKitGTK's MiniBrowser, driven by WebKitWebDriver on a display of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import httpx2
from tests.browser.engine import LONGEST_START_S, end, executable, launch
from tests.browser.remote import Remote

ROUTES = {
    "WebDriver:Navigate": ("POST", "/url"),
    "WebDriver:ExecuteScript": ("POST", "/execute/sync"),
    "WebDriver:FindElement": ("POST", "/element"),
    "WebDriver:PerformActions": ("POST", "/actions"),
    "WebDriver:Back": ("POST", "/back"),
    "WebDriver:CloseWindow": ("DELETE", "/window"),
}


class WebKit(Remote):
    """MiniBrowser; see `Engine`. Under automation it keeps nothing from one start to the next."""

    def __init__(self, display: Process, driver: Process, session: Session) -> None:
        super().__init__(session)
        self._display = display
        self._driver = driver
        self._session = session

    @classmethod
    async def start(cls, profile: Path) -> WebKit:
        """Start the display, the driver and the browser."""
        xvfb = executable("XVFB", "xvfb", "Xvfb")
        webkit = executable("WEBKIT_DRIVER", "webkit2gtk-driver", "WebKitWebDriver")
        display, name = await _display(xvfb)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        driver = await launch(
            webkit, f"--port={port}", "--host=127.0.0.1",
            home=profile, DISPLAY=name, LC_ALL="C.UTF-8", LIBGL_ALWAYS_SOFTWARE="1",
        )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST_START_S):
                session = await Session.begin(f"http://127.0.0.1:{port}")
        except BaseException:
            await end(driver)
            await end(display)
            raise
        return cls(display, driver, session)

    async def quit(self) -> None:
        """Close the last window, with which the browser ends."""
        await self.leave()
        await self._stop()

    async def kill(self) -> None:
        """Kill the browser's processes, which the driver started."""
        await self._stop()

    async def _stop(self) -> None:
        await self._session.close()
        await end(self._driver)
        await end(self._display)


class Session:
    """A W3C WebDriver session over HTTP."""

    def __init__(self, client: httpx2.AsyncClient, path: str) -> None:
        self._client = client
        self._path = path

    @classmethod
    async def begin(cls, address: str) -> Session:
        """Have the driver start a browser, as soon as it listens."""
        client = httpx2.AsyncClient(base_url=address, timeout=60)
        while True:
            try:
                answer = await client.post("/session", json={"capabilities": {}})
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
        return cls(client, f"/session/{answer.json()['value']['sessionId']}")

    async def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Return the value of the answer; fail with the driver's words for an error."""
        method, path = ROUTES[name]
        answer = await self._client.request(
            method, self._path + path, json=parameters if method == "POST" else None
        )
        value = answer.json()["value"]
        assert answer.is_success, f"{name}: {value}"
        return value

    async def close(self) -> None:
        """Close the connection; the browser stays."""
        await self._client.aclose()


async def _display(xvfb: str) -> tuple[Process, str]:
    """Start an X server on a free display; return its process and the display's name."""
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        xvfb, "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp",
        pass_fds=[write], stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as pipe:
        number = await asyncio.to_thread(pipe.readline)
    assert number.strip(), "Xvfb did not start"
    return process, f":{number.strip()}"
