"""The catalog of a cluster: one small database shared by all replicas and replaced as a whole.

Salts are shared in a document of their own, so that no image of the database contains one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from analytics.background import BackgroundLoop, LoopState
from analytics.catalog.audit_log import AuditLog
from analytics.catalog.base import Catalog, Keys, People, Salts, Sites
from analytics.catalog.salts import DailySalts, SaltFolder
from analytics.catalog.shared.database import FIRST_S, Document, SharedDatabase
from analytics.catalog.shared.salts import SharedSalts
from analytics.catalog.sqlite import SqliteCatalog, salts_beside
from analytics.errors import StoreUnavailable

_EVERY_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 5.0


class SharedCatalog:
    """Sites, people, keys and salts, the same in every replica.

    *image* is the file of this replica's copy, from which it starts while the document is
    unavailable; without a copy, a start waits *first_s* seconds for the document. Changes by other
    replicas arrive within a second; reads of people, and all changes, use the newest state.
    """

    def __init__(
        self,
        document: Document,
        image: Path,
        *,
        salts: Document,
        now_ms: Callable[[], int] | None = None,
        first_s: float = FIRST_S,
    ) -> None:
        self._database = SharedDatabase(document, image, first_s=first_s)
        self._keeper = SharedSalts(salts, SaltFolder(salts_beside(image)))
        self._local = (
            SqliteCatalog(self._database)
            if now_ms is None
            else SqliteCatalog(self._database, now_ms=now_ms)
        )
        self.sites: Sites = self._local.sites
        self.people: People = self._local.people
        self.keys: Keys = self._local.keys
        self._salts = DailySalts(self._keeper)
        self.salts: Salts = self._salts
        self.audit_log: AuditLog = self._local.audit_log
        self._following = BackgroundLoop(
            "catalog",
            self._follow,
            every_s=_EVERY_S,
            meanwhile="What other servers change of sites, people and keys is not known here yet.",
            first_after_s=_EVERY_S,
            longest_pause_s=_LONGEST_PAUSE_S,
        )

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._database.open)
        try:
            await asyncio.to_thread(self._local.load)
            await asyncio.to_thread(self._salts.load)
        except BaseException:
            self._database.close()
            self._keeper.close()
            raise
        self._database.pulled = self._local.load
        self._following.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._following.stop()
        try:
            with suppress(StoreUnavailable):
                await self.flush()
        finally:
            self._database.close()
            await asyncio.to_thread(self._keeper.close)

    async def flush(self) -> None:
        await self._local.flush()

    @property
    def loops(self) -> Sequence[LoopState]:
        """The state of its background loop."""
        return (self._following.state,)

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the catalog to *path*, without the salts."""
        await self._database.copy_to(path)

    async def _follow(self) -> None:
        await asyncio.to_thread(self._database.refresh)
        newer = await asyncio.to_thread(self._keeper.newer)
        if newer is not None:
            self._salts.take(newer)


_: type[Catalog] = SharedCatalog
