"""A catalog in one SQLite file, with its salts beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from analytics.background import LoopState
from analytics.catalog.audit_log import AuditLog
from analytics.catalog.base import Catalog, Keys, People, Salts, Sites
from analytics.catalog.salts import DailySalts, SaltFolder, SaltKeeper, SaltMemory
from analytics.catalog.sqlite.audit import SqliteAuditLog
from analytics.catalog.sqlite.database import Database
from analytics.catalog.sqlite.keys import SqliteKeys
from analytics.catalog.sqlite.people import SqlitePeople
from analytics.catalog.sqlite.sites import SqliteSites
from analytics.errors import StoreUnavailable


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def salts_beside(path: Path) -> Path:
    """Return the folder of the salts of the catalog at *path*."""
    return path.with_name(f"{path.stem}.salts")


class SqliteCatalog:
    """Sites, people, keys and salts, for one process at a time (the data folder's lock).

    With *path* `:memory:` the catalog lasts as long as the block. Salts are in a folder beside the
    file, unless *keeper* stores them elsewhere.
    """

    def __init__(
        self,
        path: str | Path | Database,
        *,
        now_ms: Callable[[], int] = _now_ms,
        keeper: SaltKeeper | None = None,
    ) -> None:
        if keeper is None:
            keeper = SaltFolder(salts_beside(path)) if isinstance(path, Path) else SaltMemory()
        self._database = path if isinstance(path, Database) else Database(path)
        self._audit_log = SqliteAuditLog(self._database, now_ms)
        self._keys = SqliteKeys(self._database, self._audit_log, now_ms)
        self._sites = SqliteSites(self._database, self._audit_log, self._keys)
        self.sites: Sites = self._sites
        self.people: People = SqlitePeople(self._database, self._audit_log, now_ms)
        self.audit_log: AuditLog = self._audit_log
        self.keys: Keys = self._keys
        self._salts = DailySalts(keeper)
        self.salts: Salts = self._salts
        self.loops: Sequence[LoopState] = ()
        """Empty: this catalog has no background loop."""

    async def __aenter__(self) -> Self:
        self._database.open()
        try:
            self.load()
            self._salts.load()
        except BaseException:
            self._database.close()
            raise
        return self

    def load(self) -> None:
        """Load sites and keys into memory."""
        self._sites.load()
        self._keys.load()

    async def flush(self) -> None:
        await self._audit_log.flush()
        await self._keys.flush()

    async def __aexit__(self, *_: object) -> None:
        try:
            with suppress(StoreUnavailable):
                await self.flush()
        finally:
            self._database.close()

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the catalog to *path*, without the salts."""
        await self._database.copy_to(path)


_: type[Catalog] = SqliteCatalog
