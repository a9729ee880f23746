"""The ingest module: its endpoints, by path, over one set of parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from analytics import bounds
from analytics.ingest.batch import BatchEndpoint, BatchLimits
from analytics.ingest.client import TrustedProxies
from analytics.ingest.context import IngestContext
from analytics.ingest.endpoint import EventEndpoint
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import Places
from analytics.ingest.pixel import PixelEndpoint
from analytics.ingest.request_counts import RequestCounts
from analytics.ingest.script import ScriptEndpoint
from analytics.ingest.whoami import ByOwner, WhoamiEndpoint, by_nobody
from analytics.limiter import Limits
from analytics.stream.base import EventLog

Endpoint = EventEndpoint | BatchEndpoint | PixelEndpoint | ScriptEndpoint | WhoamiEndpoint


@dataclass(frozen=True, kw_only=True)
class IngestModule:
    """What takes events in."""

    event: EventEndpoint
    counts: RequestCounts
    paths: Mapping[str, Endpoint]
    routes: Sequence[BaseRoute] = ()
    name: str = "ingest"


def ingest(
    *,
    log: EventLog,
    acceptance: Enricher,
    trust: TrustedProxies,
    limits: Limits,
    places: Places,
    script: Path,
    max_event_bytes: int,
    max_batch_bytes: int,
    max_open_batch_bytes: int = bounds.OPEN_BATCH_BYTES,
    max_open_batch_events: int = bounds.OPEN_BATCH_EVENTS,
    by_owner: ByOwner = by_nobody,
) -> IngestModule:
    """Put the endpoints together."""
    intake = IngestContext(
        log=log, acceptance=acceptance, trust=trust, limits=limits, counts=RequestCounts()
    )
    event = EventEndpoint(intake, max_body_bytes=max_event_bytes)
    batches = BatchLimits(
        event_bytes=max_event_bytes,
        body_bytes=max_batch_bytes,
        open_body_bytes=min(max_open_batch_bytes, max_batch_bytes),
        open_events=max_open_batch_events,
    )
    tracker = ScriptEndpoint(script)
    return IngestModule(
        event=event,
        counts=intake.counts,
        paths={
            "/api/event": event,
            "/api/events": BatchEndpoint(intake, batches),
            "/pixel.gif": PixelEndpoint(intake),
            "/tracker.js": tracker,
            "/js/script.js": tracker,
            "/api/whoami": WhoamiEndpoint(trust=trust, places=places, by_owner=by_owner),
        },
    )
