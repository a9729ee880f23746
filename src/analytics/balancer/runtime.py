"""HAProxy's runtime socket: what it serves with now, and how that is changed."""

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
    """Whether a server is given work."""

    READY = "ready"
    DRAIN = "drain"
    """Nothing new; what it has begun, it ends."""
    MAINTENANCE = "maintenance"


class BackendServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a backend, as HAProxy has it."""

    backend: str
    name: str
    address: str
    """`host:port`, the host as a number."""
    state: ServerState
    up: bool
    """Whether its health checks go well; true also when there are none."""
    connections: int
    """Requests that it is answering, or that wait for it."""

    @property
    def path(self) -> str:
        """Its name in commands."""
        return f"{self.backend}/{self.name}"


Servers = Mapping[str, Mapping[str, BackendServer]]
"""By backend, then by name; a backend without servers is there too."""


class Runtime:
    """The socket at *path*. HAProxy takes one command on each connection.

    Raises `Unavailable` when nobody answers there, `Misconfigured` for what HAProxy refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def servers(self) -> Servers:
        """Every backend with its servers."""
        backends = await self._ask("show backend")
        found: dict[str, dict[str, BackendServer]] = {
            line: {} for line in backends.splitlines() if line and not line.startswith("#")
        }
        busy = _connections(await self._ask("show stat"))
        for row in _rows(await self._ask("show servers state")):
            server = _server(row, busy)
            found.setdefault(server.backend, {})[server.name] = server
        return found

    async def add(self, path: str, address: str, options: str) -> bool:
        """Make the server *path*, not given work yet; False if it is there already."""
        reply = await self._ask(f"add server {path} {address} {options}")
        if _THERE_ALREADY in reply.lower():
            return False
        if "registered" not in reply.lower():
            raise Misconfigured(f"HAProxy does not add {path} ({options}): {_line(reply)}")
        return True

    async def ready(self, path: str) -> None:
        """Give the server *path* work, while its checks go well."""
        await self._change(f"enable health {path}")
        await self._change(f"set server {path} state ready")

    async def drain(self, path: str) -> None:
        """Give the server *path* nothing new."""
        await self._change(f"set server {path} state drain")

    async def move(self, path: str, host: str, port: str) -> None:
        """Let the server *path* be elsewhere."""
        reply = await self._ask(f"set server {path} addr {host} port {port}")
        if not any(said in reply.lower() for said in (*_MOVED, _GONE_ALREADY)):
            raise Misconfigured(f"HAProxy does not move {path}: {_line(reply)}")

    async def remove(self, path: str) -> bool:
        """Forget the server *path* with what it has begun; False: not yet, ask again."""
        await self._change(f"set server {path} state maint")
        await self._change(f"shutdown sessions server {path}")
        reply = (await self._ask(f"del server {path}")).lower()
        if "deleted" in reply or _GONE_ALREADY in reply:
            return True
        if _IN_USE in reply:
            return False
        raise Misconfigured(f"HAProxy does not remove {path}: {_line(reply)}")

    async def _change(self, command: str) -> None:
        """A command that says nothing when it is done."""
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
    """The lines of `show servers state` under their names."""
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
    """What each server is doing, of `show stat`, by backend and name."""
    lines: Sequence[str] = stat.removeprefix("# ").split("\n")
    return {
        (row["pxname"], row["svname"]): int(row["scur"] or 0) + int(row["qcur"] or 0)
        for row in csv.DictReader(lines)
        if row["svname"] != "FRONTEND"
    }


def _line(reply: str) -> str:
    return " ".join(reply.split())
