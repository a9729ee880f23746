"""The interface of a registry of replicas."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import msgspec


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One server, as it describes itself."""

    address: str
    """`host:port` at which it serves; identifies the replica."""
    modules: tuple[str, ...]
    version: str
    started_at: int
    """UTC milliseconds."""
    fault: str = ""
    """Why it is not ready; "" if it is."""


class Listed(NamedTuple):
    """A replica in the list."""

    replica: Replica
    seen_at: int
    """When it last announced itself, in UTC milliseconds."""
    out_of_service: bool = False
    """Whether an operator has taken it out of service in the registry."""


class Registry(AbstractAsyncContextManager["Registry"], Protocol):
    """The running replicas.

    A replica is listed for one lease after its last announcement. Every call may be repeated, and
    raises `RegistryUnavailable` if the registry does not answer.
    """

    async def announce(self, replica: Replica) -> None:
        """List *replica*, in its current state, for one lease."""

    async def withdraw(self, address: str) -> None:
        """Remove the replica at *address* from the list, if it is listed."""

    async def replicas(self) -> Sequence[Listed]:
        """Return the replicas whose lease has not ended, by address."""
