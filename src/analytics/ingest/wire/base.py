"""The interface of a wire format, and the event to which every format decodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, NamedTuple, Protocol

import msgspec
from starlette.types import Scope

from analytics import bounds
from analytics.api_operation import ApiOperation
from analytics.errors import Invalid
from analytics.event import PAGEVIEW, Drop, Hit, LogRecord
from analytics.ingest.asgi import Header
from analytics.stream.base import Position


class RawEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event as its sender describes it. Only the types of its fields have been checked."""

    domains: tuple[str, ...]
    """The sites it is for: a domain, an id or a number each."""
    url: str
    name: str = PAGEVIEW
    referrer: str = ""
    props: dict[str, str] = {}
    revenue: str | None = None
    currency: str = ""
    interactive: bool = True
    hash_mode: bool = False
    """Whether the `#fragment` belongs to the path."""
    honours_opt_out: bool = False
    """Whether to drop it when it came with Do Not Track or Global Privacy Control."""
    picture: bool = False
    """Whether it was loaded as a picture, as the proxies of mail programs load them."""
    of_own_log: bool = False
    """Whether the site's owner read it off a log of their own, and so answers for its hostname."""
    scroll_depth: int | None = None
    engaged_ms: int = 0
    id: str | None = None
    """UUID, canonical."""
    ts: int | None = None
    """UTC milliseconds by the client's clock."""
    vid: str | None = None
    """The visitor id of the cookie."""
    title: str = ""
    language: str = ""
    screen: str = ""
    address: str | None = None
    """The visitor's address, from a sender that forwards for others (needs a key)."""
    user_agent: str | None = None
    """Likewise."""


class RequestLimits(NamedTuple):
    """The most that one request may hold: bytes of body after decompression, and events."""

    event_bytes: int
    body_bytes: int
    """Of a batch whose sender has a key with the scope `events:write`."""
    open_body_bytes: int
    """Of a batch without such a key."""
    events: int = bounds.BATCH_EVENTS
    open_events: int = bounds.OPEN_BATCH_EVENTS


RECEIPT_HEADERS: Final = {
    "x-analytics-receipt": "the place of each event in the log, by commas, one for each site",
    "x-analytics-dropped": "why an event was left out on purpose",
}
"""What `receipt` says, by the name of the header."""


class Outcome(NamedTuple):
    """The records of an event, one for each site, and their positions in the log; or its refusal.

    A request that is not batched has one outcome for all of it.
    """

    records: Sequence[LogRecord] = ()
    positions: Sequence[Position] = ()
    refusal: Invalid | None = None


class Reply(NamedTuple):
    """The answer to a request whose events are durable."""

    status: int
    content: bytes
    headers: Sequence[Header]


class DecodedEvents(Protocol):
    """The events of one request. A tuple will do; a batch decodes each when it is reached."""

    def __len__(self) -> int:
        """Return the number of events."""

    def __iter__(self) -> Iterator[RawEvent | Invalid]:
        """Yield each event, or why it is refused."""


class WireFormat(Protocol):
    """The encoding of events and answers on one path. See `wire/formats.py`."""

    methods: ClassVar[tuple[str, ...]]
    """The methods that carry an event, the main one first. A format of GET has no body: `decode`
    receives the query string instead."""
    takes_key: ClassVar[bool]
    """Whether an Authorization header counts."""
    batched: ClassVar[bool]
    """Whether a refused event leaves the others of its request accepted."""
    operation: ClassVar[ApiOperation]
    """What the OpenAPI document says of the main method."""
    limits: RequestLimits

    def decode(self, scope: Scope, body: bytes, /) -> DecodedEvents:
        """Return the events of *body*, which has no content coding. Raises `Malformed`."""

    def reply(self, outcomes: Sequence[Outcome]) -> Reply:
        """Return the answer, given the outcomes in the order of the events; HEAD has none."""


def receipt(records: Sequence[LogRecord], positions: Sequence[Position]) -> list[Header]:
    """Return the headers with the *positions* of *records*, and why any of them was dropped."""
    if len(records) == 1 and type(records[0]) is Hit:
        return [(b"x-analytics-receipt", b"%d-%d" % positions[0])]
    return [
        (b"x-analytics-receipt", ",".join(map(str, positions)).encode()),
        *(
            header
            for record in records
            if isinstance(record, Drop)
            for header in (
                (b"x-analytics-dropped", record.reason.encode()),
                (b"x-plausible-dropped", b"1"),  # which Plausible's clients look for
            )
        ),
    ]
