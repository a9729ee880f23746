"""What must be done so that a balancer's servers are the replicas that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from analytics.balancer.runtime import BackendServer, Servers, ServerState
from analytics.registry.base import Replica

MODULES: Final = ("ingest", "dashboard", "admin")
"""Each is the name of a backend too; one that the balancer lacks is left out."""
PREFIX: Final = "discovered-"
"""Begins the names of the servers that are ours; no other is ever touched."""
_ADDRESS: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


class Action(StrEnum):
    """What can be done with a server."""

    ADD = "added"
    READY = "ready"
    MOVE = "moved"
    DRAIN = "draining"
    REMOVE = "removed"


class Step(NamedTuple):
    """One thing to do."""

    action: Action
    backend: str
    name: str
    address: str
    """Where it is, the host as a number."""

    @property
    def path(self) -> str:
        """The server's name in commands."""
        return f"{self.backend}/{self.name}"


def understood(address: str) -> bool:
    """Whether *address* is one, and nothing that a command could be hidden in."""
    return _ADDRESS.fullmatch(address) is not None


def name_of(address: str) -> str:
    """The server's name of the replica at *address*, the same for whoever makes it."""
    return PREFIX + address.replace("[", "").replace("]", "")


def steps(
    replicas: Sequence[Replica],
    found: Mapping[str, str],
    servers: Servers,
    *,
    patient: bool,
    overdue: frozenset[str],
) -> Iterator[Step]:
    """What to do, backend by backend.

    *found* has each replica's address with its host as a number; a replica that it lacks can't be
    added now. While *patient*, the list may lack some that are there, and nobody who works is
    taken away. *overdue* are the paths of servers that had time enough to finish.
    """
    for backend in MODULES:
        if backend in servers:
            wanted = [each.address for each in replicas if backend in each.modules]
            there = {n: s for n, s in servers[backend].items() if n.startswith(PREFIX)}
            yield from _coming(backend, wanted, found, there)
            yield from _going(wanted, there, patient=patient, overdue=overdue)


def _coming(
    backend: str,
    wanted: Sequence[str],
    found: Mapping[str, str],
    there: Mapping[str, BackendServer],
) -> Iterator[Step]:
    for address in wanted:
        name = name_of(address)
        server = there.get(name)
        at = found.get(address)
        if server is None:
            if at is not None:
                yield Step(Action.ADD, backend, name, at)
            continue
        if at is not None and server.address != at:
            yield Step(Action.MOVE, backend, name, at)
        if server.state is not ServerState.READY:
            yield Step(Action.READY, backend, name, at or server.address)


def _going(
    wanted: Sequence[str],
    there: Mapping[str, BackendServer],
    *,
    patient: bool,
    overdue: frozenset[str],
) -> Iterator[Step]:
    names = {name_of(address) for address in wanted}
    # Those on the list that work: without one of them, whoever still works must stay.
    working = any(
        server.up and server.state is ServerState.READY
        for name, server in there.items()
        if name in names
    )
    for name, server in there.items():
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
