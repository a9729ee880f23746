"""The parts of an open data folder that operations act on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from analytics.catalog.base import Catalog
from analytics.data_folder import DataFolder
from analytics.errors import NotFound
from analytics.event import LogRecord
from analytics.scheduled_export.schedule import ScheduledExport
from analytics.settings import Settings
from analytics.site import Site
from analytics.store.base import (
    Audits,
    Compacts,
    Erases,
    ErasesVisits,
    Exports,
    KeepsImports,
    Rebuilds,
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
    """A store that deletes rows and removes their bytes from files."""


class WholeStore(SeriesStore, Exports, Audits, Snapshots, AnswersSql, KeepsImports, Protocol):
    """A store with everything that administration needs."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


class PastRequests(Protocol):
    """Converts the lines of a file into records of one site."""

    async def read(self, line: bytes) -> LogRecord:
        """Return the record of *line*. Raise `Malformed` if it cannot be read."""


PastFormat = Callable[[Site], PastRequests]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """An open data folder."""

    settings: Settings
    folder: DataFolder
    catalog: CopiedCatalog
    store: WholeStore
    erases: ErasesEverywhere
    rebuilds: Rebuilds
    log: EventLog
    clock: Callable[[], int]
    """Returns the current time in UTC milliseconds."""
    settle: Callable[[], Awaitable[None]]
    """Returns when everything appended before the call is in the store."""
    paused: Callable[[], AbstractAsyncContextManager[None]]
    """Returns a block during which nothing is written to the store."""
    audits: Sequence[Callable[[], Awaitable[Sequence[str]]]] = ()
    """Further checks for `audit`; each returns a sentence for each fault."""
    warnings: list[Callable[[], Sequence[str]]] = field(default_factory=list)
    """Functions that return problems for the operator, in sentences; added by the server."""
    formats: Mapping[str, PastFormat] = field(default_factory=dict)
    """The formats that `import` can read, by name."""

    @cached_property
    def scheduled_export(self) -> ScheduledExport | None:
        """The export that the settings ask for; None when they ask for none."""
        if not self.settings.exports.target:
            return None
        return ScheduledExport(
            self.settings.exports,
            catalog=self.catalog,
            store=self.store,
            scratch=self.folder.scratch,
            progress=self.folder.exports,
            clock=self.clock,
            settle=self.settle,
        )

    def site(self, name: str) -> Site:
        """Return the site with the domain, id or number *name*. Raise `NotFound`."""
        site = self.catalog.sites.get(name)
        if site is None:
            raise NotFound(unknown_site(name, self.catalog.sites.all()))
        return site


def unknown_site(name: str, sites: Sequence[Site]) -> str:
    """Return the message for a site that does not exist."""
    if not sites:
        return f"{name} is not a site here; add it with `analytics site add {name}`"
    domains = ", ".join(site.domain for site in sites[:5])
    more = f" and {len(sites) - 5} more" if len(sites) > 5 else ""
    return f"{name} is not a site here; there are {domains}{more}"
