"""The real `analytics serve` in a process of its own, and the command beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[1]
STOP_S = 60


@dataclass
class Folder:
    """A folder, and the command on it, whether a server runs there or not."""

    data: Path
    options: tuple[str, ...] = ()
    """Further ones for every command, as `--config …`."""

    async def command(self, *arguments: str, stdin: bytes = b"") -> str:
        """What `analytics …` prints."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, err
        return out

    async def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """How `analytics …` exits, and what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "analytics", *arguments),
            *("--data", str(self.data), *self.options),
            env=plain_environment({}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        return process.returncode or 0, out.decode(), err.decode()

    async def rows(self, site: str) -> list[dict[str, Any]]:
        """Every event that is stored of *site*, by time."""
        out = await self.command("export", "--site", site, "--format", "ndjson")
        return sorted((json.loads(line) for line in out.splitlines()), key=lambda row: row["ts"])

    async def balance(self) -> dict[str, Any]:
        """What `analytics audit` says, when it says that all is well."""
        audited: dict[str, Any] = json.loads(await self.command("audit", "--json"))
        assert audited["balanced"], audited
        return audited


@dataclass
class Server(Folder):
    """A server on a folder, on the same port at every start."""

    port: int = field(default_factory=lambda: free_port())
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, **environment: str) -> None:
        """Return when the server is ready."""
        log = (self.data.parent / "serve.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "analytics", "serve"),
            *("--port", str(self.port), "--data", str(self.data)),
            env=plain_environment(environment),
            stdout=log,
            stderr=log,
        )
        log.close()
        async with httpx2.AsyncClient() as client:
            while not await _answers(client, self.url + "/health/live"):
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End it without a word, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it as an operator would, if it runs; it must exit with 0."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                code = await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"it did not stop within {STOP_S} s:\n{self.log()}") from None
        assert code == 0, self.log()

    def log(self) -> str:
        return (self.data.parent / "serve.log").read_text()


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx2.TransportError:
        return False


def plain_environment(more: dict[str, str]) -> dict[str, str]:
    """Ours without our own settings, and with *more*."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS_")}
    return {**ours, "PYTHONPATH": str(ROOT / "src"), **more}


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
