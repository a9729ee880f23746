"""A replica behind the front: the real `analytics serve` in the servers' namespace."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.front.topology import BALANCERS, SERVERS, Topology
from tests.server import Server, plain_environment

PATIENCE_S = 120


@dataclass
class Replica(Server):
    """A server of its own folder, reached through the balancers."""

    topology: Topology | None = None

    @property
    def address(self) -> str:
        return f"{SERVERS}:{self.port}"

    async def start(self, **more: str) -> None:
        """Return when it says that it is ready."""
        assert self.topology is not None
        command = (
            *(sys.executable, "-m", "analytics", "serve", "--data", self.data),
            *("--host", SERVERS, "--port", self.port),
        )
        said = self.data.parent / f"{self.data.name}.log"
        before = said.stat().st_size if said.exists() else 0
        with said.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.topology.inside("servers", *command),
                env=plain_environment(
                    {
                        "ANALYTICS_INGEST__TRUSTED_PROXIES": ",".join(BALANCERS.values()),
                        "ANALYTICS_LOGS__LEVEL": "warning",
                        **more,
                    }
                ),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(PATIENCE_S):
            while b" is ready at " not in said.read_bytes()[before:]:
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    async def events(self, site: str) -> set[str]:
        """The ids of every event that it has stored."""
        return {str(row["event_id"]) for row in await self.rows(site)}


async def replica(topology: Topology, folder: Path, number: int, site: str) -> Replica:
    """A replica that knows *site*, not started yet."""
    made = Replica(folder / f"replica-{number}", port=8000 + number, topology=topology)
    await made.command("site", "add", site)
    return made
