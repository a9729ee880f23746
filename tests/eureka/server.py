"""The real Eureka server of Spring Cloud, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from tests.server import free_port

from analytics.localcluster.jars import Jars
from analytics.settings import ClusterSettings

HERE = Path(__file__).parent
START_S = 180
# Its own defaults sweep once a minute and list from a cache of half a minute; with few replicas it
# would also stop to sweep, for it takes their silence for a fault of its own network.
OPTIONS = {
    "server.address": "127.0.0.1",
    "eureka.client.register-with-eureka": "false",
    "eureka.client.fetch-registry": "false",
    "eureka.server.enable-self-preservation": "false",
    "eureka.server.eviction-interval-timer-in-ms": "500",
    "eureka.server.use-read-only-response-cache": "false",
    "eureka.server.wait-time-in-ms-when-sync-empty": "0",
}


@dataclass
class EurekaServer:
    """It works in *folder*, on the same port at every start."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/eureka"

    @property
    def log(self) -> Path:
        return self.folder / "eureka.log"

    def start(self) -> None:
        """Return when it answers."""
        jars = Jars(ClusterSettings(), print, poms=HERE).of("eureka")
        compiler = shutil.which("javac")
        assert compiler is not None, (
            "install a JDK (Debian: apt-get install openjdk-17-jdk-headless)"
        )
        subprocess.run(
            [compiler, "-cp", f"{jars}/*", "-d", self.folder, HERE / "EurekaServer.java"],
            check=True,
        )
        options = {"server.port": str(self.port), **OPTIONS}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("java", "-Xmx192m", "-XX:TieredStopAtLevel=1"),
                    *("-cp", f"{self.folder}:{jars}/*", "EurekaServer"),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """End it without a word, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/apps").status_code == 200
        except httpx2.TransportError:
            return False
