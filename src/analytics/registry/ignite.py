"""The registry of replicas in Ignite, which expires their leases itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from analytics.errors import RegistryUnavailable, StoreUnavailable
from analytics.registry.base import Listed, Registry, Replica
from analytics.settings import IgniteSettings
from analytics.store.ignite.leases import LeasedRows
from analytics.store.ignite.tables import REPLICAS

T = TypeVar("T")


class IgniteRegistry:
    """A `Registry` with leases of *lease_s* seconds; *clock* returns UTC milliseconds."""

    def __init__(
        self, settings: IgniteSettings, lease_s: float, *, clock: Callable[[], int]
    ) -> None:
        self._rows = LeasedRows(settings, REPLICAS, lease_s)
        self._clock = clock
        # A thread to itself: the driver waits long for a node that hangs, and nobody else should.
        self._thread = ThreadPoolExecutor(1, "registry")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.submit(self._rows.close)
        self._thread.shutdown(wait=False)

    async def announce(self, replica: Replica) -> None:
        """See `Registry.announce`."""
        columns = {
            "modules": ",".join(replica.modules),
            "release": replica.version,
            "started_at": replica.started_at,
            "fault": replica.fault,
            "seen_at": self._clock(),
        }
        await self._do(lambda: self._rows.put(replica.address, columns))

    async def withdraw(self, address: str) -> None:
        """See `Registry.withdraw`."""
        await self._do(lambda: self._rows.remove(address))

    async def replicas(self) -> Sequence[Listed]:
        """See `Registry.replicas`."""
        return [_listed(row) for row in await self._do(self._rows.all)]

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except StoreUnavailable as exc:
            raise RegistryUnavailable(str(exc)) from exc


def _listed(row: Mapping[str, Any]) -> Listed:
    replica = Replica(
        address=row["address"],
        modules=tuple(row["modules"].split(",")),
        version=row["release"],
        started_at=row["started_at"],
        fault=row["fault"],
    )
    return Listed(replica, row["seen_at"])


_: type[Registry] = IgniteRegistry
