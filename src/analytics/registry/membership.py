"""A server's own place in the registry: taken, kept while it serves, given up before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import structlog

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
        self._heartbeat_s = heartbeat_s
        self._beating: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._listed: bool | None = None  # as far as it knows

    async def __aenter__(self) -> Self:
        self._beating = asyncio.create_task(self._beat(), name="registry")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        if self._leaving is not None:
            await self._leaving

    def leave(self) -> None:
        """Begin to take it off the list; the end of the block waits for that."""
        if self._beating is not None and self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(self._beating), name="registry")

    async def _leave(self, beating: asyncio.Task[None]) -> None:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        address = self._describe().address
        try:
            await self._registry.withdraw(address)
        except AnalyticsError as exc:
            log.warning("registry_not_left", address=address, error=str(exc))
        else:
            log.debug("registry_left", address=address)

    async def _beat(self) -> None:
        while True:
            replica = self._describe()
            try:
                await self._registry.announce(replica)
            except AnalyticsError as exc:
                if self._listed is not False:
                    log.warning("registry_unreachable", error=str(exc))
                self._listed = False
            else:
                if self._listed is False:
                    log.info("registry_reached", address=replica.address)
                self._listed = True
            await asyncio.sleep(self._heartbeat_s)
