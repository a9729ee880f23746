"""Reads and changes the servers of a running HAProxy through its runtime socket."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from analytics.errors import Misconfigured, Unavailable

_TIMEOUT_S: Final = 5.0
_MAINTENANCE: Final = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
_DRAIN: Final = 0x08 | 0x10
_RUNNING: Final = "2"
# What says that another has done it before us: several may work on one HAProxy.
_THERE_ALREADY: Final = "already exists"
_GONE_ALREADY: Final = "no such server"
_MOVED: Final = ("changed from", "no need to change")
_IN_USE: Final = "still has connections"


class ServerState(StrEnum):
    """Whether a server gets requests."""

    READY = "ready"
    DRAIN = "drain"
    """It gets no new requests, and finishes those it has."""
    MAINTENANCE = "maintenance"


class BackendServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a backend, as HAProxy reports it."""

    backend: str
    name: str
    address: str
    """`host:port`, the host as an IP address."""
    state: ServerState
    up: bool
    """Whether its health checks succeed; true also without checks."""
    connections: int
    """The number of requests being answered or queued."""

    @property
    def path(self) -> str:
        """Return its name in HAProxy's commands."""
        return f"{self.backend}/{self.name}"


Servers = Mapping[str, Mapping[str, BackendServer]]
"""Servers by backend, then by name; a backend without servers is included."""


class Runtime:
    """The socket at *path*. HAProxy takes one command per connection.

    Methods raise `Unavailable` if HAProxy does not answer, `Misconfigured` if it refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def servers(self) -> Servers:
        """Return every backend with its servers."""
        backends = await self._ask("show backend")
        by_backend: dict[str, dict[str, BackendServer]] = {
            line: {} for line in backends.splitlines() if line and not line.startswith("#")
        }
        busy = _connections(await self._ask("show stat"))
        for row in _rows(await self._ask("show servers state")):
            server = _server(row, busy)
            by_backend.setdefault(server.backend, {})[server.name] = server
        return by_backend

    async def add(self, path: str, address: str, options: str) -> bool:
        """Add the server *path* without giving it requests; return False if it exists already."""
        reply = await self._ask(f"add server {path} {address} {options}")
        if _THERE_ALREADY in reply.lower():
            return False
        if "registered" not in reply.lower():
            raise Misconfigured(f"HAProxy does not add {path} ({options}): {_line(reply)}")
        return True

    async def ready(self, path: str) -> None:
        """Give the server *path* requests while its checks succeed."""
        await self._change(f"enable health {path}")
        await self._change(f"set server {path} state ready")

    async def drain(self, path: str) -> None:
        """Give the server *path* no new requests."""
        await self._change(f"set server {path} state drain")

    async def move(self, path: str, host: str, port: str) -> None:
        """Change the address of the server *path*."""
        reply = await self._ask(f"set server {path} addr {host} port {port}")
        if not any(text in reply.lower() for text in (*_MOVED, _GONE_ALREADY)):
            raise Misconfigured(f"HAProxy does not move {path}: {_line(reply)}")

    async def remove(self, path: str) -> bool:
        """Remove the server *path* and end its sessions; return False if it is still in use."""
        await self._change(f"set server {path} state maint")
        await self._change(f"shutdown sessions server {path}")
        reply = (await self._ask(f"del server {path}")).lower()
        if "deleted" in reply or _GONE_ALREADY in reply:
            return True
        if _IN_USE in reply:
            return False
        raise Misconfigured(f"HAProxy does not remove {path}: {_line(reply)}")

    async def _change(self, command: str) -> None:
        """Send a command whose reply is empty when it succeeds."""
        reply = _line(await self._ask(command))
        if reply and _GONE_ALREADY not in reply.lower():
            raise Misconfigured(f"HAProxy refuses {command!r}: {reply}")

    async def _ask(self, command: str) -> str:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(command.encode() + b"\n")
                    reply = (await reader.read(-1)).decode("utf-8", "replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as exc:
            why = str(exc) or f"it took longer than {_TIMEOUT_S:g} s"
            raise Unavailable(f"HAProxy does not answer at {self._path}: {why}") from exc
        if reply.startswith("Permission denied"):
            raise Misconfigured(f"the socket {self._path} is not of `level admin`")
        return reply


def _rows(state: str) -> Iterator[Mapping[str, str]]:
    """Yield the lines of `show servers state` as dictionaries by column name."""
    lines = [line for line in state.splitlines() if line]
    names = lines[1].removeprefix("# ").split(" ")
    for line in lines[2:]:
        yield dict(zip(names, line.split(" "), strict=False))


def _server(row: Mapping[str, str], busy: Mapping[tuple[str, str], int]) -> BackendServer:
    backend, name, host = row["be_name"], row["srv_name"], row["srv_addr"]
    flags = int(row["srv_admin_state"])
    state = ServerState.READY
    if flags & _MAINTENANCE:
        state = ServerState.MAINTENANCE
    elif flags & _DRAIN:
        state = ServerState.DRAIN
    return BackendServer(
        backend=backend,
        name=name,
        address=f"[{host}]:{row['srv_port']}" if ":" in host else f"{host}:{row['srv_port']}",
        state=state,
        up=row["srv_op_state"] == _RUNNING,
        connections=busy.get((backend, name), 0),
    )


def _connections(stat: str) -> Mapping[tuple[str, str], int]:
    """Map (backend, name) to the current and queued sessions, read from `show stat`."""
    lines: Sequence[str] = stat.removeprefix("# ").split("\n")
    return {
        (row["pxname"], row["svname"]): int(row["scur"] or 0) + int(row["qcur"] or 0)
        for row in csv.DictReader(lines)
        if row["svname"] != "FRONTEND"
    }


def _line(reply: str) -> str:
    return " ".join(reply.split())
