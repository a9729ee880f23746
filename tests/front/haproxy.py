"""The real HAProxy with the repository's haproxy.cfg, and its runtime API."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.server import ROOT

CONFIGURATION: Final = ROOT / "haproxy.cfg"
PATIENCE_S: Final = 60
_PATH: Final = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


class HAProxy:
    """One HAProxy. Its files lie in *folder*, which must have a short name."""

    def __init__(
        self, folder: Path, *, name: str = "haproxy", inside: Sequence[str] = (), **settings: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        # All processes of this machine are seen from each namespace: each HAProxy needs a name of
        # its own, that a Keepalived may tell it from the other one.
        self.name = name
        self._program = folder / name
        self._program.symlink_to(shutil.which("haproxy", path=_PATH) or "haproxy")
        self._inside = inside
        self._socket = folder / "admin.sock"
        self._log = folder / "haproxy.log"
        self.settings = {"FRONT_SOCKET": str(self._socket), **settings}
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, *, ready: bool = True) -> None:
        """Return when it answers and, if *ready*, has found a replica that is ready."""
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                [*self._inside, str(self._program), "-W", "-db", "-f", str(CONFIGURATION)],
                env={**os.environ, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        async with asyncio.timeout(PATIENCE_S):
            while not self.statistics() or (ready and "UP" not in self.servers().values()):
                assert self.process.poll() is None, self.log()
                await asyncio.sleep(0.05)

    def reload(self) -> None:
        """Have a new worker take over, as `systemctl reload haproxy` does."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGUSR2)

    def kill(self) -> None:
        """kill -9, the master and its worker."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._socket.unlink(missing_ok=True)

    def end(self) -> None:
        """End it, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text()

    @property
    def workers(self) -> list[int]:
        """The processes that carry traffic."""
        assert self.process is not None
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def ask(self, command: str) -> str:
        """What the runtime API says; "" when nobody answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self._socket))
            except OSError:
                return ""
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def statistics(self) -> list[dict[str, str]]:
        """`show stat`, a line each."""
        return [*csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))]

    def servers(self, backend: str = "ingest") -> dict[str, str]:
        """The state of each replica: UP, DOWN."""
        return {
            line["svname"]: line["status"].split()[0]
            for line in self.statistics()
            if line["pxname"] == backend and line["svname"] not in ("FRONTEND", "BACKEND", "nobody")
        }

    async def sees(self, **states: str) -> None:
        """Return when the replicas are in these states."""
        wanted = {name.replace("_", "-"): state for name, state in states.items()}
        async with asyncio.timeout(PATIENCE_S):
            while self.servers() != wanted:
                await asyncio.sleep(0.02)
