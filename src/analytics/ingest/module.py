"""The ingest module: its endpoints, by path, over one set of shared dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analytics import bounds
from analytics.ingest.client import TrustedProxies
from analytics.ingest.context import IngestContext
from analytics.ingest.endpoint import IngestEndpoint
from analytics.ingest.enricher import Enricher
from analytics.ingest.geolocation import Places
from analytics.ingest.request_counts import RequestCounts
from analytics.ingest.script import ScriptEndpoint
from analytics.ingest.whoami import ByOwner, WhoamiEndpoint, by_nobody
from analytics.ingest.wire.base import RequestLimits
from analytics.ingest.wire.formats import EVENT_PATH, FORMATS
from analytics.limiter import Limits
from analytics.module import Module
from analytics.stream.base import EventLog


@dataclass(frozen=True, kw_only=True)
class IngestModule(Module):
    """The module that receives events and serves the tracker script."""

    event: IngestEndpoint
    """The endpoint of `EVENT_PATH`, for `gateway/direct.py`."""
    counts: RequestCounts


def ingest(
    *,
    log: EventLog,
    enricher: Enricher,
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
    """Build the endpoints: one for each row of the table of wire formats, and the others."""
    context = IngestContext(
        log=log, enricher=enricher, trust=trust, limits=limits, counts=RequestCounts()
    )
    sizes = RequestLimits(
        event_bytes=max_event_bytes,
        body_bytes=max_batch_bytes,
        open_body_bytes=min(max_open_batch_bytes, max_batch_bytes),
        open_events=max_open_batch_events,
    )
    receiving = {path: IngestEndpoint(context, wire_format(sizes)) for path, wire_format in FORMATS}
    tracker = ScriptEndpoint(script)
    return IngestModule(
        name="ingest",
        event=receiving[EVENT_PATH],
        counts=context.counts,
        paths={
            **receiving,
            "/tracker.js": tracker,
            "/js/script.js": tracker,
            "/api/whoami": WhoamiEndpoint(trust=trust, places=places, by_owner=by_owner),
        },
    )
