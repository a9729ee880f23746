"""What a registry of replicas must do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

import msgspec


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One server, in its own words."""

    address: str
    """`host:port` at which it serves. It is its name too: nobody else can be there."""
    modules: tuple[str, ...]
    version: str
    started_at: int
    """UTC milliseconds."""
    fault: str = ""
    """Why it can't do its work; "" when it can."""


class Listed(NamedTuple):
    """A replica in the list."""

    replica: Replica
    seen_at: int
    """When it last said so, in UTC milliseconds."""
    out_of_service: bool = False
    """Whether an operator has taken it out of service in the registry."""


class Registry(AbstractAsyncContextManager["Registry"], Protocol):
    """The replicas that are there now.

    A replica is listed for one lease after it last said so. Everything here may be repeated, and
    raises `RegistryUnavailable` when the registry is away.
    """

    async def announce(self, replica: Replica) -> None:
        """List *replica* as it is now, for one lease."""

    async def withdraw(self, address: str) -> None:
        """List the replica at *address* no longer; nothing happens when it is not listed."""

    async def replicas(self) -> Sequence[Listed]:
        """Those whose lease has not ended, by address."""
