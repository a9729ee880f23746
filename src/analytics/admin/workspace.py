"""Everything that an operation may act on, with the data folder held."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from analytics.catalog.base import Catalog
from analytics.data_folder import DataFolder
from analytics.errors import NotFound
from analytics.event import LogRecord
from analytics.settings import Settings
from analytics.site import Site
from analytics.store.base import (
    Audits,
    Compacts,
    Erases,
    ErasesVisits,
    Exports,
    SeriesStore,
    Snapshots,
)
from analytics.store.sql_question import AnswersSql
from analytics.stream.base import EventLog


class CopiedCatalog(Catalog, Protocol):
    """A catalog that can be backed up."""

    async def copy_to(self, path: Path) -> None:
        """Write a consistent copy to *path*."""


class ErasesEverywhere(Erases, ErasesVisits, Compacts, Protocol):
    """Whoever deletes rows, and all that files hold of them."""


class WholeStore(SeriesStore, Exports, Audits, Snapshots, AnswersSql, Protocol):
    """A store that can do all that administration asks of it."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


class PastRequests(Protocol):
    """Turns a file of some format into records of one site, line by line."""

    async def read(self, line: bytes) -> LogRecord:
        """The record of *line*. Raises `Malformed` when it can't be read."""


PastFormat = Callable[[Site], PastRequests]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What an open data folder consists of."""

    settings: Settings
    folder: DataFolder
    catalog: CopiedCatalog
    store: WholeStore
    erases: ErasesEverywhere
    log: EventLog
    clock: Callable[[], int]
    """Now, in UTC milliseconds."""
    settle: Callable[[], Awaitable[None]]
    """Returns when everything appended before the call is in the store."""
    paused: Callable[[], AbstractAsyncContextManager[None]]
    """While the block runs, nothing is written to the store."""
    audits: Sequence[Callable[[], Awaitable[Sequence[str]]]] = ()
    """What else can be counted; each says what is wrong."""
    warnings: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """What a server notices that its operator should mend, in sentences; the server adds them."""
    formats: Mapping[str, PastFormat] = field(default_factory=dict)
    """What `import` can read, by name."""

    def site(self, name: str) -> Site:
        """The site of that domain, id or number. Raises `NotFound`."""
        site = self.catalog.sites.get(name)
        if site is None:
            raise NotFound(unknown_site(name, self.catalog.sites.all()))
        return site


def unknown_site(name: str, sites: Sequence[Site]) -> str:
    """The message for a site that is not there."""
    if not sites:
        return f"{name} is not a site here; add it with `analytics site add {name}`"
    known = ", ".join(site.domain for site in sites[:5])
    more = f" and {len(sites) - 5} more" if len(sites) > 5 else ""
    return f"{name} is not a site here; there are {known}{more}"
