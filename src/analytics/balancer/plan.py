"""Computes the steps that make a balancer's servers equal to the registered replicas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from analytics.balancer.runtime import BackendServer, Servers, ServerState
from analytics.registry.base import Replica

MODULES: Final = ("ingest", "dashboard", "admin")
"""Modules, which are also names of backends; a backend that the balancer lacks is skipped."""
PREFIX: Final = "discovered-"
"""The prefix of the names of managed servers; other servers are never changed."""
_ADDRESS: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


class Action(StrEnum):
    """A change to a server."""

    ADD = "added"
    READY = "ready"
    MOVE = "moved"
    DRAIN = "draining"
    REMOVE = "removed"


class Step(NamedTuple):
    """One change to one server."""

    action: Action
    backend: str
    name: str
    address: str
    """`host:port`, the host as an IP address."""

    @property
    def path(self) -> str:
        """Return the server's name in HAProxy's commands."""
        return f"{self.backend}/{self.name}"


def is_address(address: str) -> bool:
    """Return whether *address* is `host:port`, free of characters that could begin a command."""
    return _ADDRESS.fullmatch(address) is not None


def name_of(address: str) -> str:
    """Return the server name of the replica at *address*, the same in every process."""
    return PREFIX + address.replace("[", "").replace("]", "")


def steps(
    replicas: Sequence[Replica],
    resolved: Mapping[str, str],
    servers: Servers,
    *,
    patient: bool,
    overdue: frozenset[str],
) -> Iterator[Step]:
    """Yield the steps, backend by backend.

    *resolved* maps a replica's address to the same with its host as an IP address; a replica that
    it lacks cannot be added now. While *patient*, *replicas* may be incomplete, and no working
    server is drained. *overdue* has the paths of servers whose time to drain is over.
    """
    for backend in MODULES:
        if backend in servers:
            addresses = [each.address for each in replicas if backend in each.modules]
            managed = {n: s for n, s in servers[backend].items() if n.startswith(PREFIX)}
            yield from _additions(backend, addresses, resolved, managed)
            yield from _removals(addresses, managed, patient=patient, overdue=overdue)


def _additions(
    backend: str,
    addresses: Sequence[str],
    resolved: Mapping[str, str],
    managed: Mapping[str, BackendServer],
) -> Iterator[Step]:
    for address in addresses:
        name = name_of(address)
        server = managed.get(name)
        at = resolved.get(address)
        if server is None:
            if at is not None:
                yield Step(Action.ADD, backend, name, at)
            continue
        if at is not None and server.address != at:
            yield Step(Action.MOVE, backend, name, at)
        if server.state is not ServerState.READY:
            yield Step(Action.READY, backend, name, at or server.address)


def _removals(
    addresses: Sequence[str],
    managed: Mapping[str, BackendServer],
    *,
    patient: bool,
    overdue: frozenset[str],
) -> Iterator[Step]:
    names = {name_of(address) for address in addresses}
    # While no registered server works, one that works must stay, though it is not registered.
    working = any(
        server.up and server.state is ServerState.READY
        for name, server in managed.items()
        if name in names
    )
    for name, server in managed.items():
        if name in names:
            continue
        if server.state is ServerState.READY:
            if server.up and (patient or not working):
                continue
            yield Step(Action.DRAIN, server.backend, name, server.address)
        elif (
            not server.connections
            or server.state is ServerState.MAINTENANCE
            or server.path in overdue
        ):
            yield Step(Action.REMOVE, server.backend, name, server.address)
