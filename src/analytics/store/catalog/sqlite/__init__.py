"""A catalog in one SQLite file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from analytics.background import LoopState
from analytics.store.catalog.base import Catalog, Keys, People, Salts, Sites
from analytics.store.catalog.sqlite.database import Database
from analytics.store.catalog.sqlite.keys import SqliteKeys
from analytics.store.catalog.sqlite.people import SqlitePeople
from analytics.store.catalog.sqlite.salts import SqliteSalts
from analytics.store.catalog.sqlite.sites import SqliteSites


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteCatalog:
    """Sites, people, keys, salts; one process at a time (the data folder's lock sees to it).

    *path* `:memory:` gives a catalog that dies with the block.
    """

    def __init__(self, path: str | Path | Database, *, now_ms: Callable[[], int] = _now_ms) -> None:
        self._database = path if isinstance(path, Database) else Database(path)
        self._sites = SqliteSites(self._database)
        self._keys = SqliteKeys(self._database, now_ms)
        self.sites: Sites = self._sites
        self.people: People = SqlitePeople(self._database, now_ms)
        self.keys: Keys = self._keys
        self._salts = SqliteSalts(self._database)
        self.salts: Salts = self._salts
        self.loops: Sequence[LoopState] = ()
        """It has no background loop."""

    async def __aenter__(self) -> Self:
        self._database.open()
        self.load()
        return self

    def load(self) -> None:
        """Read what is asked for from memory."""
        self._sites.load()
        self._keys.load()
        self._salts.load()

    async def __aexit__(self, *_: object) -> None:
        self._database.close()

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the whole catalog to *path*."""
        await self._database.copy_to(path)


_: type[Catalog] = SqliteCatalog
