"""The composition root: settings become resources, and resources one ASGI application."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple, Protocol

from starlette.types import Scope

from analytics import __version__, assets, dashboard, extras
from analytics.admin.module import admin
from analytics.admin.workspace import PastFormat, WholeStore, Workspace
from analytics.api.ledger import LedgerApi
from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.catalog.shared import SharedCatalog
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import admin_page, session
from analytics.data_folder import DataFolder
from analytics.errors import Misconfigured
from analytics.gateway import metrics
from analytics.gateway.builtin_routes import BuiltinRoutes
from analytics.gateway.gate import Gate
from analytics.gateway.health import Check, Health
from analytics.gateway.rates import Rates
from analytics.gateway.uploads import Uploads
from analytics.guard import Guard
from analytics.ingest import geolocation, user_agents
from analytics.ingest.access_log_import import AccessLog
from analytics.ingest.client import TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import open_places
from analytics.ingest.module import IngestModule, ingest
from analytics.ingest.proxies import UnknownProxies
from analytics.ingest.spam import SpamReferrers
from analytics.journal_erasure import JournalErasure
from analytics.limiter import Limiter, Limits, sender
from analytics.projector import Projector
from analytics.registry import Registry, Replica, guarded, registry
from analytics.settings import Settings
from analytics.store import guards
from analytics.store.base import Builds, Overviews
from analytics.store.duckdb import DuckDBStore
from analytics.store.freshness import Freshness
from analytics.store.lag import Lag, LagGauge
from analytics.stream.journal import Journal, JournalLimits

CATCH_UP_S: Final = 30.0
"""How long a stop waits for the figures to catch up; what is left, a start catches up with."""


def clock() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class ServingStore(WholeStore, Builds, Overviews, Protocol):
    """A store that a server may have."""


class Projection(Protocol):
    """Whoever brings rows into the store."""

    async def visible(self, receipts: str) -> None:
        """Return when every record of *receipts* is in the store."""

    async def settle(self) -> None:
        """Return when everything appended so far is in the store."""

    def changes(self) -> AsyncIterator[None]:
        """Steps whenever rows were stored since the last step."""

    def paused(self) -> AbstractAsyncContextManager[None]:
        """While the block runs, nothing is written to the store."""


@dataclass(frozen=True, kw_only=True)
class Resources(Workspace):
    """What an open data folder consists of, with what only a server needs."""

    store: ServingStore
    figures: Projection
    acceptance: Enricher
    checks: Mapping[str, Check]
    """What must be right for the server to be ready."""
    breakers: Sequence[Breaker]
    """What watches the backends that have a degraded answer."""
    gauges: metrics.Sources
    registry: Registry
    behind: Callable[[], int]
    """Records that are durable, and that somebody will still have to fold or to send on."""
    lag: Callable[[], Lag | None]
    """What the figures here lack, where it is worth a word."""
    loops: list[LoopState]
    """The state of its background loops; whoever starts another for the server adds it."""
    started_at: int = field(default_factory=clock)
    """When it was opened, in UTC milliseconds."""


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Resources]:
    """Own the data folder, and everything in it, while the block runs."""
    folder = DataFolder(settings.data)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.held())
        ignite = guards.ignite(settings.ignite)
        catalog = _catalog(settings, folder, ignite)
        await stack.enter_async_context(catalog)
        geo = geolocation.guard()
        acceptance = Enricher(
            sites=catalog.sites,
            keys=catalog.keys,
            salts=catalog.salts,
            places=open_places(settings.ingest.mmdb, geo),
            clock=clock,
            spam=SpamReferrers(settings.ingest.spam_referrers),
        )
        listing = guarded.guard(retry_after_s=settings.registry.heartbeat_s)
        replicas = await stack.enter_async_context(registry(settings, clock=clock, guard=listing))
        watched = (
            *([geo] if settings.ingest.mmdb is not None else ()),
            *([listing.breaker] if settings.registry.backend != "none" else ()),
        )
        common = CommonResources(settings, folder, catalog, acceptance, watched, replicas)
        if settings.store.backend == "ignite":
            yield await _replica(common, stack, ignite)
        else:
            yield await _embedded(common, stack)


def _catalog(
    settings: Settings, folder: DataFolder, ignite: Guard
) -> SqliteCatalog | SharedCatalog:
    """What people set: in the folder, or the same for all replicas."""
    if settings.store.backend == "duckdb":
        return SqliteCatalog(folder.catalog)
    extras.require("store.backend ignite", "pyignite", "pyarrow")
    from analytics.store.ignite.documents import SharedDocument

    return SharedCatalog(
        SharedDocument(settings.ignite, "catalog", ignite),
        folder.catalog,
        salts=SharedDocument(settings.ignite, "salts", ignite),
    )


class CommonResources(NamedTuple):
    """What both modes have."""

    settings: Settings
    folder: DataFolder
    catalog: SqliteCatalog | SharedCatalog
    acceptance: Enricher
    breakers: Sequence[Breaker]
    registry: Registry

    def timezones(self) -> Mapping[str, str]:
        """The time zone of each site."""
        return {site.domain: site.timezone for site in self.catalog.sites.all()}

    def formats(self) -> Mapping[str, PastFormat]:
        """What `import` can read."""
        trust = TrustedProxies(self.settings.ingest.trusted_proxies)
        return {"access-log": lambda site: AccessLog(self.acceptance, site, trust)}


async def _embedded(common: CommonResources, stack: AsyncExitStack) -> Resources:
    """Everything in this process."""
    settings, folder = common.settings, common.folder
    if settings.log.backend != "journal":
        raise Misconfigured(
            "log.backend kafka needs store.backend ignite: the stream job folds what is in Kafka"
        )
    store = await stack.enter_async_context(
        DuckDBStore(
            folder.store,
            timezones=common.timezones,
            memory_limit=f"{settings.store.memory_limit >> 20}MiB",
            threads=settings.store.threads or os.cpu_count() or 1,
            queue_timeout_s=settings.store.queue_timeout_s,
            query_timeout_s=settings.store.query_timeout_s,
            lag=lambda: gauge.lag(),
        )
    )
    limits = JournalLimits(
        segment_bytes=settings.journal.segment_bytes,
        max_backlog_bytes=settings.journal.max_backlog_bytes,
        min_free_bytes=settings.journal.min_free_bytes,
    )
    journal = await stack.enter_async_context(Journal(folder.journal, limits))
    projector = await stack.enter_async_context(Projector(journal, store, clock=clock))

    async def ends() -> Mapping[int, int]:
        return {0: journal.next_offset}

    freshness = await stack.enter_async_context(
        Freshness(ends, lambda: {0: projector.next_offset}, clock, every_s=1)
    )
    gauge = LagGauge(freshness, lambda: journal.next_offset - projector.next_offset, clock)
    return Resources(
        settings=settings,
        folder=folder,
        catalog=common.catalog,
        store=store,
        erases=JournalErasure(journal, projector, store, clock),
        log=journal,
        clock=clock,
        settle=projector.settle,
        paused=projector.paused,
        formats=common.formats(),
        figures=projector,
        acceptance=common.acceptance,
        checks={
            "journal": lambda: journal.fault,
        },
        loops=[*projector.loops, freshness.loop, *common.catalog.loops],
        breakers=common.breakers,
        gauges=_gauges(journal, projector),
        registry=common.registry,
        behind=lambda: journal.next_offset - projector.next_offset,
        lag=gauge.lag,
    )


async def _replica(common: CommonResources, stack: AsyncExitStack, ignite: Guard) -> Resources:
    """One of several processes that share a cluster."""
    # Here, because it needs what a plain installation leaves out.
    from analytics import replica

    backends = await replica.opened(
        common.settings,
        common.folder,
        stack,
        ignite=ignite,
        timezones=common.timezones,
        clock=clock,
    )
    return Resources(
        settings=common.settings,
        folder=common.folder,
        catalog=common.catalog,
        store=backends.store,
        erases=backends.store,
        log=backends.log,
        clock=clock,
        settle=backends.figures.settle,
        paused=backends.figures.paused,
        formats=common.formats(),
        figures=backends.figures,
        acceptance=common.acceptance,
        checks=backends.checks(),
        loops=[*backends.loops(), *common.catalog.loops],
        breakers=(*backends.breakers(), *common.breakers),
        audits=(backends.audit,),
        gauges=backends.gauges(),
        registry=common.registry,
        behind=lambda: backends.log.backlog,
        lag=backends.store.lag,
    )


@asynccontextmanager
async def open_workspace(settings: Settings) -> AsyncIterator[Workspace]:
    """The data folder for one command, with no server on it."""
    async with open_parts(settings) as parts:
        yield parts


@dataclass(frozen=True, kw_only=True)
class Application:
    """What a server serves."""

    gate: Gate
    ingest: IngestModule
    health: Health
    uploads: Uploads


def compose(parts: Resources, *, setup_token: str | None) -> Application:
    """The ASGI application over open *parts*, with the modules that the settings choose."""
    settings = parts.settings
    serving, public_url = settings.serve.modules, settings.serve.public_url
    trust = TrustedProxies(settings.ingest.trusted_proxies)
    proxies = UnknownProxies(trust)
    parts.warnings.append(lambda: proxies.seen)
    key_limiter = Limiter(settings.gateway.key_rate_per_s, settings.gateway.key_rate_burst)
    taking = ingest(
        log=parts.log,
        enricher=parts.acceptance,
        trust=trust,
        limits=Limits.of(settings.ingest.rate_per_s, settings.ingest.rate_burst, key_limiter),
        places=parts.acceptance.places,
        script=assets.tracker(),
        max_event_bytes=settings.ingest.max_event_bytes,
        max_batch_bytes=settings.ingest.max_batch_bytes,
        max_open_batch_bytes=settings.ingest.max_open_batch_bytes,
        max_open_batch_events=settings.ingest.max_open_batch_events,
        by_owner=lambda scope: session.is_owners(parts.catalog.people, scope, public_url),
    )
    health = Health(parts.checks, parts.breakers, parts.loops)
    pages = dashboard.DashboardContext(
        catalog=parts.catalog,
        store=parts.store,
        erases=parts.erases,
        clock=parts.clock,
        setup_token=setup_token,
        changed=parts.figures.changes,
        lag=parts.lag,
        settle=parts.settle,
        stopping=lambda: health.draining,
        breakers=parts.breakers,
        loops=parts.loops,
        replicas=parts.registry.replicas,
        table=lambda: gate.table(),
        max_streams=settings.gateway.max_streams,
        public_url=public_url,
        browser=lambda request: _browser(trust.client(request.scope).user_agent),
        client=lambda request: trust.client(request.scope).address,
    )
    figures = metrics.routes(taking.counts, parts.gauges, parts.breakers, parts.loops)
    rates = Rates(
        trust,
        parts.catalog.keys,
        Limits.of(settings.gateway.rate_per_s, settings.gateway.rate_burst, key_limiter),
    )

    def check(scope: Scope) -> None:
        rates.check(scope)
        proxies.notice(scope)

    gate = Gate(
        [
            BuiltinRoutes(routes=[*health.routes(), *figures]),
            taking,
            admin(
                LedgerApi(
                    parts.store,
                    parts.catalog,
                    lambda request: session.person(parts.catalog.people, request, public_url),
                    lag=parts.lag,
                ),
                admin_page.routes(pages),
            ),
            # The pages of sites lie right below `/`, so they come last.
            dashboard.module(pages, parts.figures.visible),
        ],
        ("gateway", *serving),
        check=check,
        party=rates.party,
        max_body_bytes=settings.gateway.max_body_bytes,
        cors_origins=settings.gateway.cors_origins,
        https_only=public_url.startswith("https:"),
        error_page=dashboard.error_page if "dashboard" in serving else None,
    )
    uploads = Uploads(settings.gateway.max_upload_bytes, partial(_uploader, trust))
    return Application(gate=gate, ingest=taking, health=health, uploads=uploads)


def _uploader(trust: TrustedProxies, scope: Scope) -> str:
    """Return as whose bytes a request's body is counted; "" for a program of this machine."""
    client = trust.client(scope)
    return "" if client.here else sender(client.address)


def described(parts: Resources, health: Health, address: str) -> Replica:
    """This server at *address*, as the registry is to list it now."""
    return Replica(
        address=address,
        modules=parts.settings.serve.modules,
        version=__version__,
        started_at=parts.started_at,
        fault="; ".join(f"{name}: {fault}" for name, fault in health.faults().items()),
    )


def _browser(user_agent: str) -> str:
    """Return what people call their browser, as "Firefox on Linux"."""
    looks = user_agents.parse(user_agent)
    return " on ".join(name for name in (looks.browser, looks.os) if name)


def _gauges(journal: Journal, projector: Projector) -> metrics.Sources:
    return {
        "analytics_log_lag_records": (
            "Records that are durable and not yet in the figures.",
            lambda: journal.next_offset - projector.next_offset,
        ),
        "analytics_log_next_offset": (
            "Records appended since the folder was made.",
            lambda: journal.next_offset,
        ),
        "analytics_journal_bytes": (
            "What the journal takes on disk.",
            lambda: journal.backlog_bytes,
        ),
        "analytics_journal_sync_seconds": (
            "How long a sync of the journal takes, of late.",
            lambda: journal.sync_seconds,
        ),
    }


async def catch_up(parts: Resources) -> None:
    """Let the figures catch up with the log, for a while; a replica's are made elsewhere."""
    if parts.settings.store.backend == "ignite":
        return
    with suppress(TimeoutError):  # the journal keeps what is left
        async with asyncio.timeout(CATCH_UP_S):
            await parts.settle()
