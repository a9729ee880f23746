"""A server's own place in the registry: taken, kept while it serves, given up before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

import structlog

from analytics.background import BackgroundLoop, LoopState
from analytics.errors import AnalyticsError
from analytics.registry.base import Registry, Replica

log = structlog.get_logger()


class Membership:
    """Says every *heartbeat_s* that the server is there, as *describe* has it then.

    A registry that is away is tried again at the next beat, and harms nothing else: serving never
    waits for it, and a stop no longer than `GuardedRegistry` lets it.
    """

    def __init__(
        self, registry: Registry, describe: Callable[[], Replica], *, heartbeat_s: float
    ) -> None:
        self._registry = registry
        self._describe = describe
        self._beating = BackgroundLoop(
            "membership",
            self._beat,
            every_s=heartbeat_s,
            meanwhile="The registry may not list this server, so balancers may not send to it.",
            longest_pause_s=heartbeat_s,
        )
        self._leaving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._beating.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        if self._leaving is not None:
            await self._leaving

    def leave(self) -> None:
        """Begin to take it off the list; the end of the block waits for that."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(), name="leave-registry")

    @property
    def loop(self) -> LoopState:
        """The state of its background loop."""
        return self._beating.state

    async def _leave(self) -> None:
        await self._beating.stop()
        address = self._describe().address
        try:
            await self._registry.withdraw(address)
        except AnalyticsError as exc:
            log.warning("registry_not_left", address=address, error=str(exc))
        else:
            log.debug("registry_left", address=address)

    async def _beat(self) -> None:
        await self._registry.announce(self._describe())
