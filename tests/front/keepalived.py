"""The real Keepalived with the repository's deploy/keepalived.conf, in a balancer's namespace."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Final

from tests.front.topology import ADDRESS, BALANCERS, Topology
from tests.server import ROOT

CONFIGURATION: Final = ROOT / "deploy" / "keepalived.conf"
PATIENCE_S: Final = 60


class Keepalived:
    """The one of the balancer *role*, which watches the processes called *haproxy*."""

    def __init__(self, topology: Topology, role: str, folder: Path, *, haproxy: str) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder / "keepalived.log"
        file = folder / "keepalived.conf"
        file.write_text(configured(role, haproxy))
        self._command = (
            *("keepalived", "--dont-fork", "--log-console", "--log-detail"),
            *("--namespace", topology.name(role), "--use-file", str(file)),
            *("--pid", str(folder / "keepalived.pid"), "--vrrp_pid", str(folder / "vrrp.pid")),
        )
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Return when it has taken up its part: that of a backup."""
        before = self.entered("BACKUP")
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                self._command,
                env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        await self.enters("BACKUP", before + 1)
        assert self.process.poll() is None, self.log()

    async def enters(self, state: str, times: int) -> None:
        """Return when it has entered *state* so many times since it was first started."""
        async with asyncio.timeout(PATIENCE_S):
            while self.entered(state) < times:
                await asyncio.sleep(0.005)

    def entered(self, state: str) -> int:
        """How often it has entered *state*: MASTER, BACKUP, FAULT."""
        return self.log().count(f"Entering {state} STATE")

    def kill(self) -> None:
        """kill -9, all of it: nobody takes the address away."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def log(self) -> str:
        """What it wrote; "" before its first start."""
        return self._log.read_text() if self._log.exists() else ""


def configured(role: str, haproxy: str) -> str:
    """The repository's file, with the lines that differ between machines."""
    (peer,) = (address for other, address in BALANCERS.items() if other != role)
    values = {
        "INTERFACE": "eth0",
        "ADDRESS": f"{ADDRESS}/24",
        "SELF": BALANCERS[role],
        "PEER": peer,
        "PRIORITY": "200" if role == "lb1" else "100",
        "PROCESS": haproxy,
    }
    text = CONFIGURATION.read_text()
    for name, value in values.items():
        text, changed = re.subn(rf"^\${name}=.*$", f"${name}={value}", text, flags=re.MULTILINE)
        assert changed == 1, name
    return text
