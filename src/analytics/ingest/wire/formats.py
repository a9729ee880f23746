"""The table of wire formats: which path speaks which. To add a format, write its module beside
this one, add a row here, and a test.

`haproxy.cfg` and the site names that the server keeps for itself (`catalog/domain.py`) must cover
each path; `tests/ingest/wire/test_formats.py` compares them with this table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from analytics.ingest.wire.base import RequestLimits, WireFormat
from analytics.ingest.wire.event_list import EventList
from analytics.ingest.wire.pixel import Pixel
from analytics.ingest.wire.plausible import PlausibleEvent

EVENT_PATH: Final = "/api/event"
"""The path that `gateway/direct.py` serves without a task for each request."""

FORMATS: Final[tuple[tuple[str, Callable[[RequestLimits], WireFormat]], ...]] = (
    (EVENT_PATH, PlausibleEvent),
    ("/api/events", EventList),
    ("/pixel.gif", Pixel),
)
