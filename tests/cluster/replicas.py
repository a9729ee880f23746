"""The replicas of a running cluster, and what they are asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real import PATIENCE_S, once_settled
from tests.server import Folder

from analytics.localcluster.launcher import ClusterStatus


@dataclass
class Replica(Folder):
    """One that runs, at *url*."""

    url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def command(self, *arguments: str, stdin: bytes = b"") -> str:
        """Return what `analytics …` prints."""
        code, out, err = await once_settled(lambda: self.run(*arguments, stdin=stdin))
        assert code == 0, err
        return out

    async def settled(self, stored: int) -> None:
        """Return when so many events are in its figures."""
        async with asyncio.timeout(PATIENCE_S):
            while sum(line["stored"] for line in (await self.audited())["sites"]) < stored:
                await asyncio.sleep(0.2)

    async def balance(self) -> dict[str, Any]:
        """What `analytics audit` says, when all is well: Ignite writes its last chunks behind."""
        async with asyncio.timeout(PATIENCE_S):
            while not (audited := await self.audited())["balanced"]:
                await asyncio.sleep(0.5)
        return audited

    async def audited(self) -> dict[str, Any]:
        """What `analytics audit` says."""
        code, out, err = await self.run("audit", "--json")
        assert code in (0, 1), err
        found: dict[str, Any] = json.loads(out)
        return found


def replicas(status: ClusterStatus) -> list[Replica]:
    """All of them, by number."""
    folder = Path(status.config).parent
    return [
        Replica(folder / f"replica-{number}", ("--config", status.config), url)
        for number, url in enumerate(status.replicas, 1)
    ]
