"""Keeps a server in the registry while it serves, and withdraws it before it stops."""

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
    """Announces the server every *heartbeat_s* seconds, as *describe* describes it then.

    A registry that does not answer is tried again at the next beat. Serving never waits for it,
    and stopping waits no longer than `GuardedRegistry` allows.
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
        """Start to withdraw the server; the end of the block waits until that is done."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(), name="leave-registry")

    @property
    def loop(self) -> LoopState:
        """Return the state of its background loop."""
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
