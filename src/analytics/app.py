"""The composition root: settings become resources, and resources one ASGI application."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from starlette.routing import BaseRoute

from analytics import assets, dashboard
from analytics.admin.folder import DataFolder
from analytics.admin.ledger_api import LedgerApi
from analytics.admin.workspace import Workspace
from analytics.dashboard import stats_api
from analytics.dashboard.ask import COOKIE
from analytics.gateway import metrics
from analytics.gateway.gate import Gate
from analytics.gateway.health import Health
from analytics.ingest.accept import Acceptance
from analytics.ingest.client import Trust
from analytics.ingest.limiter import Limiter
from analytics.ingest.module import Ingest, ingest
from analytics.ingest.past import AccessLog
from analytics.ingest.place import open_places
from analytics.settings import Settings
from analytics.store.catalog.sqlite import SqliteCatalog
from analytics.store.duckdb import DuckDBStore
from analytics.stream.journal import Journal, JournalLimits
from analytics.stream.projector import Projector

CATCH_UP_S: Final = 30.0
"""How long a stop waits for the figures to catch up; what is left, a start catches up with."""


def clock() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Parts(Workspace):
    """What an open data folder consists of, with what only a server needs."""

    store: DuckDBStore
    log: Journal
    projector: Projector
    acceptance: Acceptance


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Own the data folder, and everything in it, while the block runs."""
    folder = DataFolder(settings.data)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.held())
        catalog = await stack.enter_async_context(SqliteCatalog(folder.catalog))
        store = await stack.enter_async_context(
            DuckDBStore(
                folder.store,
                timezones=lambda: {site.domain: site.timezone for site in catalog.sites.all()},
                memory_limit=f"{settings.store.memory_limit >> 20}MiB",
                threads=settings.store.threads or os.cpu_count() or 1,
                query_timeout_s=settings.store.query_timeout_s,
            )
        )
        limits = JournalLimits(
            segment_bytes=settings.journal.segment_bytes,
            max_backlog_bytes=settings.journal.max_backlog_bytes,
            min_free_bytes=settings.journal.min_free_bytes,
        )
        journal = await stack.enter_async_context(Journal(folder.journal, limits))
        projector = await stack.enter_async_context(Projector(journal, store, clock=clock))
        acceptance = Acceptance(
            sites=catalog.sites,
            keys=catalog.keys,
            salts=catalog.salts,
            places=open_places(settings.ingest.mmdb),
            clock=clock,
        )
        yield Parts(
            settings=settings,
            folder=folder,
            catalog=catalog,
            store=store,
            log=journal,
            clock=clock,
            settle=projector.settle,
            paused=projector.paused,
            formats={"access-log": lambda site: AccessLog(acceptance, site)},
            projector=projector,
            acceptance=acceptance,
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
    ingest: Ingest
    health: Health


def compose(parts: Parts, *, setup_token: str | None) -> Application:
    """The ASGI application over open *parts*, with the modules that the settings choose."""
    settings = parts.settings
    modules = settings.serve.modules
    trust = Trust(settings.ingest.trusted_proxies)
    taking = ingest(
        log=parts.log,
        acceptance=parts.acceptance,
        trust=trust,
        limiter=Limiter(settings.ingest.rate_per_s, settings.ingest.rate_burst),
        places=open_places(settings.ingest.mmdb),
        script=assets.tracker(),
        max_event_bytes=settings.ingest.max_event_bytes,
        max_batch_bytes=settings.ingest.max_batch_bytes,
    )
    health = Health(
        {
            "journal": lambda: parts.log.fault,
            "projector": lambda: str(parts.projector.fault) if parts.projector.fault else None,
        }
    )
    routes: list[BaseRoute] = [
        *health.routes(),
        *metrics.routes(taking.counts, _gauges(parts), trust),
    ]
    error_page = None
    if "admin" in modules:
        routes += LedgerApi(parts.store, parts.catalog, COOKIE).routes()
    if "dashboard" in modules:
        routes += stats_api.routes(parts.store, parts.catalog, parts.clock, parts.projector.visible)
        # The pages of sites lie right below `/`, so they come last.
        routes += dashboard.routes(
            dashboard.Dashboard(
                catalog=parts.catalog,
                store=parts.store,
                clock=parts.clock,
                setup_token=setup_token,
                changed=parts.projector.changes,
                stopping=lambda: health.draining,
                client=lambda request: trust.client(request.scope).address,
            )
        )
        error_page = dashboard.error_page
    direct = taking.paths if "ingest" in modules else {}
    return Application(gate=Gate(direct, routes, error_page), ingest=taking, health=health)


def _gauges(parts: Parts) -> metrics.Sources:
    return {
        "analytics_log_lag_records": (
            "Records that are durable and not yet in the figures.",
            lambda: parts.log.next_offset - parts.projector.next_offset,
        ),
        "analytics_log_next_offset": (
            "Records appended since the folder was made.",
            lambda: parts.log.next_offset,
        ),
        "analytics_journal_bytes": (
            "What the journal takes on disk.",
            lambda: parts.log.backlog_bytes,
        ),
        "analytics_journal_sync_seconds": (
            "How long a sync of the journal takes, of late.",
            lambda: parts.log.sync_seconds,
        ),
    }


async def catch_up(parts: Parts) -> None:
    """Let the figures catch up with the log, for a while."""
    with suppress(TimeoutError):  # the journal keeps what is left
        async with asyncio.timeout(CATCH_UP_S):
            await parts.settle()
