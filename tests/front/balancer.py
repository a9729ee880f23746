"""A balancer: HAProxy, and Keepalived beside it, in a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.front.haproxy import HAProxy
from tests.front.keepalived import Keepalived
from tests.front.topology import Topology

PORT: Final = 8080


class Balancer:
    """One of the two."""

    def __init__(
        self, topology: Topology, role: str, folder: Path, replicas: Mapping[int, str]
    ) -> None:
        self.role = role
        self.haproxy = HAProxy(
            folder / role,
            name=f"haproxy-{role}",
            inside=topology.inside(role),
            FRONT_HTTP=f":{PORT}",
            **{f"FRONT_REPLICA_{number}": address for number, address in replicas.items()},
        )
        self.keepalived = Keepalived(topology, role, folder / role, haproxy=self.haproxy.name)

    async def start(self) -> None:
        """Return when it balances, as a backup."""
        await self.haproxy.start()
        await self.haproxy.sees(replica_1="UP", replica_2="UP")
        await self.keepalived.start()

    def end(self) -> None:
        """End both, whatever became of them."""
        self.keepalived.end()
        self.haproxy.end()
