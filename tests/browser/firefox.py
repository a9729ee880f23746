"""Firefox, driven over Marionette: frames of JSON on a local TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any, cast

from tests.browser.engine import LONGEST_START_S, end, executable, launch
from tests.browser.remote import Remote

# What a fresh profile would otherwise ask of the network while a test runs.
QUIET = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_open_during_load": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Firefox(Remote):
    """Firefox ESR with a profile of its own; see `Engine`."""

    def __init__(self, process: Process, marionette: Marionette) -> None:
        super().__init__(marionette)
        self._process = process
        self._marionette = marionette

    @classmethod
    async def start(cls, profile: Path) -> Firefox:
        """Start on *profile*, which is made if it is not there."""
        firefox = executable("FIREFOX", "firefox-esr", "firefox-esr", "firefox")
        profile.mkdir(parents=True, exist_ok=True)
        ports = profile / "MarionetteActivePort"
        ports.unlink(missing_ok=True)
        preferences = {**QUIET, "marionette.port": 0}
        (profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in preferences.items()
            )
        )
        process = await launch(
            firefox, "--headless", "--marionette", "--no-remote", "--profile", str(profile),
            home=profile / "home", MOZ_CRASHREPORTER_DISABLE="1",
        )  # fmt: skip
        try:
            async with asyncio.timeout(LONGEST_START_S):
                while not ports.exists() or not ports.read_text():
                    assert process.returncode is None, "Firefox ended at its start"
                    await asyncio.sleep(0.05)
                marionette = await Marionette.connect(int(ports.read_text()))
                await marionette.command("WebDriver:NewSession", {"capabilities": {}})
        except BaseException:
            await end(process)
            raise
        return cls(process, marionette)

    async def leave(self) -> None:
        """Close the tab, with another one open: without it Firefox would quit."""
        (page,) = await self._marionette.command("WebDriver:GetWindowHandles", {})
        other = await self._marionette.command("WebDriver:NewWindow", {"type": "tab"})
        await self._marionette.command("WebDriver:SwitchToWindow", {"handle": page})
        await self._marionette.command("WebDriver:CloseWindow", {})
        await self._marionette.command("WebDriver:SwitchToWindow", {"handle": other["handle"]})

    async def quit(self) -> None:
        """Quit as the menu does."""
        await self._marionette.command("Marionette:Quit", {"flags": ["eAttemptQuit"]})
        await self._process.wait()
        await self._marionette.close()

    async def kill(self) -> None:
        """Kill all of its processes."""
        await end(self._process)
        await self._marionette.close()


class Marionette:
    """A connection: `length:[0, id, name, parameters]`, answered by `[1, id, error, result]`."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._count = 0

    @classmethod
    async def connect(cls, port: int) -> Marionette:
        """Connect, and take in what Firefox says of itself."""
        marionette = cls(*await asyncio.open_connection("127.0.0.1", port))
        await marionette._read()
        return marionette

    async def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Return the result of a command; fail with Firefox's words for an error."""
        self._count += 1
        message = json.dumps([0, self._count, name, parameters]).encode()
        self._writer.write(b"%d:%b" % (len(message), message))
        await self._writer.drain()
        _, number, error, result = await self._read()
        assert number == self._count
        assert error is None, f"{name}: {error['message']}"
        match result:
            case {"value": value} if len(result) == 1:
                return value
            case _:
                return result

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _read(self) -> Any:
        length = await self._reader.readuntil(b":")
        return cast("Any", json.loads(await self._reader.readexactly(int(length[:-1]))))
