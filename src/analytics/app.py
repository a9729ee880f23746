"""The composition root: open resources become one ASGI application."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from analytics import __version__, assets, dashboard, extras
from analytics.api.assistant_tools import AssistantTools
from analytics.api.ledger import LedgerApi
from analytics.dashboard import admin_page, session
from analytics.gateway import metrics, openapi
from analytics.gateway.gate import Gate
from analytics.gateway.health import Health
from analytics.gateway.rates import Rates
from analytics.gateway.sender_connections import SenderConnections, stranger
from analytics.gateway.uploads import Uploads
from analytics.ingest import user_agents
from analytics.ingest.client import TrustedProxies
from analytics.ingest.module import IngestModule, ingest
from analytics.ingest.proxies import UnknownProxies
from analytics.limiter import Limiter, Limits, sender
from analytics.module import Module
from analytics.registry import Replica
from analytics.resources import Resources

if TYPE_CHECKING:
    from analytics.assistants import HttpAssistants

CATCH_UP_S: Final = 30.0
"""How long a stop waits for the figures to catch up; the next start processes the rest."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """What a server serves."""

    gate: Gate
    ingest: IngestModule
    health: Health
    uploads: Uploads
    assistants: HttpAssistants | None
    """The MCP endpoint, if there is one; its `running` block must enclose the serving."""
    senders: SenderConnections


def compose(resources: Resources, *, setup_token: str | None) -> Application:
    """Return the ASGI application over open *resources*, with the modules that settings choose."""
    settings = resources.settings
    serving, public_url = settings.serve.modules, settings.serve.public_url
    trust = TrustedProxies(settings.ingest.trusted_proxies, settings.ingest.address_headers)
    proxies = UnknownProxies(trust)
    resources.warnings.append(lambda: proxies.seen)
    key_limiter = Limiter(settings.gateway.key_rate_per_s, settings.gateway.key_rate_burst)
    taking = ingest(
        log=resources.log,
        enricher=resources.enricher,
        trust=trust,
        limits=Limits.of(settings.ingest.rate_per_s, settings.ingest.rate_burst, key_limiter),
        places=resources.enricher.places,
        script=assets.tracker(),
        max_event_bytes=settings.ingest.max_event_bytes,
        max_batch_bytes=settings.ingest.max_batch_bytes,
        max_open_batch_bytes=settings.ingest.max_open_batch_bytes,
        max_open_batch_events=settings.ingest.max_open_batch_events,
        by_owner=lambda scope: session.is_owners(resources.catalog.people, scope, public_url),
    )
    health = Health(resources.checks, resources.breakers, resources.loops)
    pages = dashboard.DashboardContext(
        catalog=resources.catalog,
        store=resources.store,
        erases=resources.erases,
        clock=resources.clock,
        setup_token=setup_token,
        changed=resources.figures.changes,
        lag=resources.lag,
        settle=resources.settle,
        stopping=lambda: health.draining,
        breakers=resources.breakers,
        loops=resources.loops,
        replicas=resources.registry.replicas,
        table=lambda: gate.table(),
        max_streams=settings.gateway.max_streams,
        public_url=public_url,
        browser=lambda request: _browser(trust.client(request.scope).user_agent),
        client=lambda request: trust.client(request.scope).address,
    )
    figures = metrics.routes(taking.counts, _gauges(resources), resources.breakers, resources.loops)
    description = openapi.route(lambda: gate.modules())
    rates = Rates(
        trust,
        resources.catalog.keys,
        Limits.of(settings.gateway.rate_per_s, settings.gateway.rate_burst, key_limiter),
    )

    def check(scope: Scope) -> None:
        rates.check(scope)
        proxies.notice(scope)

    ledger = LedgerApi(
        resources.store,
        resources.catalog,
        lambda request: session.person(resources.catalog.people, request, public_url),
        lag=resources.lag,
    )
    answering = _assistants(resources)
    gate = Gate(
        [
            Module(name="gateway", routes=[*health.routes(), *figures, description]),
            taking,
            Module(name="admin", routes=[*ledger.routes(), *admin_page.routes(pages)]),
            Module(name="dashboard", routes=answering.routes() if answering else ()),
            # The pages of sites lie right below `/`, so they come last.
            dashboard.module(pages, resources.figures.visible),
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
    senders = SenderConnections(
        settings.gateway.max_connections_per_address, partial(stranger, trust)
    )
    return Application(
        gate=gate,
        ingest=taking,
        health=health,
        uploads=uploads,
        senders=senders,
        assistants=answering,
    )


def _gauges(resources: Resources) -> metrics.Sources:
    """Return the gauges of *resources*, and of the scheduled export if there is one."""
    forecast = resources.disk_forecast
    gauges = {
        **resources.gauges,
        "analytics_disk_days_left": (
            "Days until the disk is full at the rate of the last hours; +Inf while nothing grows.",
            lambda: forecast.days_left,
        ),
    }
    export = resources.scheduled_export
    if export is None:
        return gauges
    return {
        **gauges,
        "analytics_export_finished_timestamp_seconds": (
            "When the last scheduled export that exported everything began; 0 before the first.",
            lambda: export.finished_at / 1000,
        ),
        "analytics_export_waiting_days": (
            "Days that the running scheduled export has yet to write.",
            lambda: export.waiting,
        ),
    }


def _assistants(resources: Resources) -> HttpAssistants | None:
    """Return the MCP endpoint if the settings ask for it. Raise `Misconfigured`."""
    if not resources.settings.mcp.http:
        return None
    extras.require("mcp.http", "mcp", extra="mcp")
    # Here, because it takes a second and 60 MB.
    from analytics.assistants import HttpAssistants

    tools = AssistantTools(resources.store, resources.catalog, resources.clock)
    return HttpAssistants(tools, resources.catalog.keys)


def _uploader(trust: TrustedProxies, scope: Scope) -> str:
    """Return the sender to whom a request's body is charged; "" for a program on this machine."""
    client = trust.client(scope)
    return "" if client.here else sender(client.address)


def described(resources: Resources, health: Health, address: str) -> Replica:
    """Return this server at *address*, as the registry is to list it now."""
    return Replica(
        address=address,
        modules=resources.settings.serve.modules,
        version=__version__,
        started_at=resources.started_at,
        fault="; ".join(f"{name}: {fault}" for name, fault in health.faults().items()),
    )


def _browser(user_agent: str) -> str:
    """Return the browser's name for people, such as "Firefox on Linux"."""
    looks = user_agents.parse(user_agent)
    return " on ".join(name for name in (looks.browser, looks.os) if name)


async def catch_up(resources: Resources) -> None:
    """Wait a while until the figures have caught up with the log; do not wait on a replica."""
    if resources.settings.is_replica:
        return
    with suppress(TimeoutError):  # the journal keeps what is left
        async with asyncio.timeout(CATCH_UP_S):
            await resources.settle()
