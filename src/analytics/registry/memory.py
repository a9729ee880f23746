"""A registry within one process, for a server without a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from analytics.registry.base import Listed, Registry, Replica


class MemoryRegistry:
    """A `Registry` with leases of *lease_s* seconds; *clock* returns UTC milliseconds."""

    def __init__(self, lease_s: float, *, clock: Callable[[], int]) -> None:
        self._lease_ms = lease_s * 1000
        self._clock = clock
        self._listed: dict[str, Listed] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def announce(self, replica: Replica) -> None:
        """See `Registry.announce`."""
        self._listed[replica.address] = Listed(replica, self._clock())

    async def withdraw(self, address: str) -> None:
        """See `Registry.withdraw`."""
        self._listed.pop(address, None)

    async def replicas(self) -> Sequence[Listed]:
        """See `Registry.replicas`."""
        oldest = self._clock() - self._lease_ms
        return [each for _, each in sorted(self._listed.items()) if each.seen_at > oldest]


_: type[Registry] = MemoryRegistry
