"""The real HAProxy, on a port and a runtime socket of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.server import free_port

CONFIGURATION = """
global
    stats socket {socket} mode 600 level {level}
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    retries 3
    option redispatch 1
    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host front
    http-check expect status 200
frontend front
    bind 127.0.0.1:{port}
    use_backend ingest if {{ path_beg /api/event }}
    default_backend dashboard
backend ingest
    balance roundrobin
    option http-buffer-request
    retry-on conn-failure empty-response
    server by-hand {by_hand} disabled
backend dashboard
    balance roundrobin
"""


@dataclass
class HAProxy:
    """Its files are in *folder*; it is on the same port at every start."""

    folder: Path
    level: str = "admin"
    port: int = field(default_factory=lambda: free_port())
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self.folder / "haproxy.sock"

    async def start(self) -> None:
        """Return when it listens, to visitors and at its socket."""
        command = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert command is not None, "install haproxy (Debian: apt-get install haproxy)"
        file = self.folder / "haproxy.cfg"
        file.write_text(
            CONFIGURATION.format(
                socket=self.socket, level=self.level, port=self.port, by_hand="127.0.0.1:1"
            )
        )
        with (self.folder / "haproxy.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                command, "-db", "-f", file, stdout=log, stderr=log
            )
        while True:
            assert self.process.returncode is None, (self.folder / "haproxy.log").read_text()
            try:
                (await asyncio.open_unix_connection(self.socket))[1].close()
                (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return

    async def stop(self) -> None:
        """End it at once, with whatever it has under way."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()
