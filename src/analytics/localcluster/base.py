"""The interface of a server process in a local cluster."""

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
        """Return its name, which begins with its kind."""

    @property
    def port(self) -> int | None:
        """Return the port for its clients; None for a process without clients."""

    def prepare(self) -> LaunchCommand:
        """Write its configuration, and return the command that starts it."""

    async def fault(self) -> str | None:
        """Return why it cannot serve now, by a request in its own protocol; None if it can."""


def address(server: ManagedServer) -> str:
    """Return the address of *server*; "" if it does not listen."""
    return "" if server.port is None else f"{HOST}:{server.port}"


async def unreachable(port: int) -> str | None:
    """Return why *port* accepts no connection; None if it does."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _reader, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return f"no process listens on {HOST}:{port}"
    writer.close()
    return None
