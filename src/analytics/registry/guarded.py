"""Wraps a registry with a timeout and a circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

from analytics.breaker import Breaker, BreakerLimits
from analytics.errors import RegistryUnavailable, Unavailable
from analytics.guard import Guard
from analytics.registry.base import Listed, Registry, Replica

TIMEOUT_S: Final = 3.0
"""The timeout of a call."""
_MOST_AT_ONCE: Final = 4
_DEGRADED: Final = (
    "Requests are served as before, and balancers keep the servers that they have; a replica that "
    "starts now gets no visitors from them."
)


def guard(*, retry_after_s: float) -> Guard:
    """Return the guard that all calls of a process to its registry share."""
    limits = BreakerLimits(slow_s=TIMEOUT_S / 2, retry_after_s=retry_after_s, in_a_row=3)
    return Guard(Breaker("registry", _DEGRADED, limits), most=_MOST_AT_ONCE)


class GuardedRegistry:
    """*registry*, whose calls pass *guard*."""

    def __init__(self, registry: Registry, guard: Guard, *, timeout_s: float = TIMEOUT_S) -> None:
        self._registry = registry
        self._guard = guard
        self._timeout_s = timeout_s

    async def __aenter__(self) -> Self:
        await self._registry.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registry.__aexit__(None, None, None)

    async def announce(self, replica: Replica) -> None:
        """See `Registry.announce`."""
        async with self._call():
            await self._registry.announce(replica)

    async def withdraw(self, address: str) -> None:
        """See `Registry.withdraw`."""
        async with self._call():
            await self._registry.withdraw(address)

    async def replicas(self) -> Sequence[Listed]:
        """See `Registry.replicas`."""
        async with self._call():
            return await self._registry.replicas()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        try:
            with self._guard.call():
                async with asyncio.timeout(self._timeout_s):
                    yield
        except TimeoutError as exc:
            raise RegistryUnavailable(
                f"the registry takes longer than {self._timeout_s:g} s"
            ) from exc
        except RegistryUnavailable:
            raise
        except Unavailable as exc:
            raise RegistryUnavailable(str(exc), retry_after=exc.retry_after) from exc


_: type[Registry] = GuardedRegistry
