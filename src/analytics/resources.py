"""The parts of an open data folder, in either mode."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from analytics.admin.workspace import PastFormat, WholeStore, Workspace
from analytics.api import named_filters
from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.catalog.shared import SharedCatalog
from analytics.catalog.sqlite import SqliteCatalog
from analytics.data_folder import DataFolder
from analytics.disk_forecast import DiskForecast
from analytics.gateway import metrics
from analytics.gateway.health import Check
from analytics.ingest.access_log_import import AccessLog
from analytics.ingest.client import TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.query import Filter
from analytics.registry import Registry
from analytics.settings import Settings
from analytics.store.base import Builds, Overviews
from analytics.store.lag import Lag


def clock() -> int:
    """Return the time now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class ServingStore(WholeStore, Builds, Overviews, Protocol):
    """A store that a server can use."""


class Projection(Protocol):
    """Brings rows into the store: the projector, or a replica's follower."""

    async def visible(self, receipts: str) -> None:
        """Return when every record of *receipts* is in the store."""

    async def settle(self) -> None:
        """Return when everything appended so far is in the store."""

    def changes(self) -> AsyncIterator[None]:
        """Yield whenever rows were stored since the last step."""

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Write nothing to the store while the block runs."""


@dataclass(frozen=True, kw_only=True)
class Resources(Workspace):
    """The parts of an open data folder, and what only a server needs."""

    store: ServingStore
    figures: Projection
    enricher: Enricher
    checks: Mapping[str, Check]
    """Each returns why the server is not ready; None when it is."""
    breakers: Sequence[Breaker]
    """The breakers of backends without which answers are degraded."""
    gauges: metrics.Sources
    registry: Registry
    behind: Callable[[], int]
    """The number of durable records not yet processed (embedded) or not yet in Kafka (replica)."""
    lag: Callable[[], Lag | None]
    """How far the figures lag behind the log, where it is large enough to mention."""
    loops: list[LoopState]
    """The state of its background loops; the server appends its own."""
    started_at: int = field(default_factory=clock)
    """When it was opened, in UTC milliseconds."""

    @cached_property
    def disk_forecast(self) -> DiskForecast:
        """What watches how fast the data folder grows."""
        journal = self.settings.journal
        return DiskForecast(
            self.folder.path,
            lambda span: self.store.ledger(span=span),
            self.clock,
            least_free=journal.min_free_bytes,
            warn_days=journal.warn_days_left,
        )


class CommonResources(NamedTuple):
    """What both modes open in the same way."""

    settings: Settings
    folder: DataFolder
    catalog: SqliteCatalog | SharedCatalog
    enricher: Enricher
    breakers: Sequence[Breaker]
    registry: Registry

    def timezones(self) -> Mapping[str, str]:
        """Return the time zone of each site by its domain."""
        return {site.domain: site.timezone for site in self.catalog.sites.all()}

    def goals(self) -> Mapping[str, Sequence[Filter]]:
        """Return the filter of each goal of each site by its domain."""
        return {
            site.domain: [named_filters.filter_of(goal) for goal in site.goals]
            for site in self.catalog.sites.all()
        }

    def formats(self) -> Mapping[str, PastFormat]:
        """Return the formats that `import` can read, by name."""
        settings = self.settings.ingest
        trust = TrustedProxies(settings.trusted_proxies, settings.address_headers)
        return {"access-log": lambda site: AccessLog(self.enricher, site, trust)}
