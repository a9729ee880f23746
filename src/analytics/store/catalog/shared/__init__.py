"""A catalog that the replicas of a cluster share: one small database, replaced as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import structlog

from analytics.errors import AnalyticsError
from analytics.store.catalog.base import Catalog, Keys, People, Salts, Sites
from analytics.store.catalog.shared.database import FIRST_S, Document, SharedDatabase
from analytics.store.catalog.sqlite import SqliteCatalog

log = structlog.get_logger()

_EVERY_S: Final = 1.0


class SharedCatalog:
    """Sites, people, keys, salts, the same in every replica.

    *image* is where this replica keeps a copy, to start with while the document is away; without
    one yet, a start waits for the document, for *first_s* seconds. What another replica changes
    is known here after a second; who asks for people, or changes anything, sees the newest.
    """

    def __init__(
        self,
        document: Document,
        image: Path,
        *,
        now_ms: Callable[[], int] | None = None,
        first_s: float = FIRST_S,
    ) -> None:
        self._database = SharedDatabase(document, image, first_s=first_s)
        self._local = (
            SqliteCatalog(self._database)
            if now_ms is None
            else SqliteCatalog(self._database, now_ms=now_ms)
        )
        self.sites: Sites = self._local.sites
        self.people: People = self._local.people
        self.keys: Keys = self._local.keys
        self.salts: Salts = self._local.salts
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._database.open)
        try:
            await asyncio.to_thread(self._local.load)
        except BaseException:
            self._database.close()
            raise
        self._database.pulled = self._local.load
        self._task = asyncio.create_task(self._follow(), name="catalog")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._database.close()

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the whole catalog to *path*."""
        await self._database.copy_to(path)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await asyncio.to_thread(self._database.refresh)
            except AnalyticsError as exc:
                log.warning("catalog_not_refreshed", error=str(exc))


_: type[Catalog] = SharedCatalog
