"""What a server of a cluster must be able to tell of itself."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from analytics.localcluster.plan import HOST
from analytics.localcluster.process import LaunchCommand

CONNECT_S: Final = 2.0


class ManagedServer(Protocol):
    """One server process."""

    @property
    def name(self) -> str:
        """Begins with its kind."""

    @property
    def port(self) -> int | None:
        """Where it listens to those who use it; None for one that nobody asks anything."""

    def prepare(self) -> LaunchCommand:
        """Write its configuration; how it is started."""

    async def fault(self) -> str | None:
        """Why it can't serve yet, or any more, by asking it in its own protocol; None if it can."""


def address(server: ManagedServer) -> str:
    """Where *server* listens; "" for nowhere."""
    return "" if server.port is None else f"{HOST}:{server.port}"


async def unreachable(port: int) -> str | None:
    """Why nobody answers at *port*; None when somebody does."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _reader, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return f"nobody listens on {HOST}:{port}"
    writer.close()
    return None
