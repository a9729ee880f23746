"""Every bound on what comes from outside, in one place.

What is larger is refused, or cut where that loses nothing that we keep, before any work is done
for it. Bounds that an operator may want to change are settings (docs/settings.md) with these
values; docs/http-api.md has the table for those who send and ask.
"""

from __future__ import annotations

from typing import Final

# ---- text of one event; what is longer is cut, as only its beginning is kept

URL_CHARS: Final = 8_192
REFERRER_CHARS: Final = 4_096
AGENT_CHARS: Final = 512
LANGUAGE_BYTES: Final = 64
"""Of `Accept-Language`; its first language is all that is read."""
QUERY_FIELDS: Final = 256
"""Fields that are read of the query string of a page's address."""

# ---- text of one event; what is longer is refused

DOMAINS: Final = 20
"""Sites that one event may name."""
DOMAINS_CHARS: Final = DOMAINS * 255
"""Length of `domain`: so many names as long as names can be, with commas."""

# ---- who sends

AUTHORIZATION_BYTES: Final = 1_024
"""Length of an `Authorization` header; one that is longer holds no key of ours."""
HOPS: Final = 32
"""Addresses of `X-Forwarded-For` that are looked at, from the nearest on."""

# ---- work that a sender is charged for

EVENT_BYTES: Final = 4_096
"""Bytes of an event that count as one event; each further part counts as another."""
KEYED_EVENTS: Final = 100
"""Events of a batch with a key that count as one request of the key."""
NETWORK_SHARE: Final = 8
"""The limit of an IPv6 /48, as a multiple of that of a /64."""

# ---- bodies on their way in

UPLOAD_BYTES: Final = 64 << 20
"""Of all unfinished requests together; one sender may hold a quarter of it."""
FREE_UPLOAD_BYTES: Final = 4_096
"""Of one connection that are not counted: most events are no larger."""
UPLOADS_FULL_S: Final = 5.0
"""Seconds after which a refused sender may try again."""

CONNECTIONS_OF_SENDER: Final = 256
"""Open at a time, of one address or /64 of IPv6; as many as HAProxy lets through."""

# ---- a batch

BATCH_EVENTS: Final = 20_000
"""Events of a batch with a key."""
OPEN_BATCH_EVENTS: Final = 100
"""Events of a batch without a key."""
OPEN_BATCH_BYTES: Final = 256 * 1024
"""Body of a batch without a key."""

# ---- daily sums of another product

IMPORT_BYTES: Final = 128 << 20
"""Of one export, as it comes."""
IMPORT_UNPACKED_BYTES: Final = 1 << 30
"""Of all files in one export, whatever the archive says of their sizes."""
IMPORT_ROWS: Final = 5_000_000
"""Rows of all files in one export."""
IMPORT_COUNT: Final = 10**12
"""The largest number in one of them."""
IMPORTS: Final = 100
"""Imports that one site may have."""

# ---- streams of live figures

STREAMS: Final = 500
"""Open at a time, altogether."""
STREAMS_OF_SITE: Final = 300
STREAMS_OF_READER: Final = 10
"""Of one session, or of one address without one."""
STREAM_S: Final = 600
"""How long one lasts; the page then asks for another."""

# ---- one question

COMPARISONS: Final = 50
"""Filters of one question that compare a dimension."""
HAS_DONE: Final = 5
"""`has_done` and `has_not_done` of one question; each looks at all visits of the period."""
SEQUENCES: Final = 3
"""`sequence` filters of one question."""
STEPS: Final = 8
"""Steps of a funnel, or of a `sequence`."""
WINDOW_DAYS: Final = 90
"""Days that a funnel may take."""
LEVELS: Final = 10
"""Levels of a journey."""
STOPS: Final = 50
"""Pages and events that a journey names on each level."""
COHORTS: Final = 100
"""Days, weeks or months of one table of retention."""
SEARCHES: Final = 100
"""Values that one question's `contains` and `matches` search for."""
SEARCH_CHARS: Final = 8_000
"""Characters of all those values together."""
VALUES: Final = 1_000
"""Values of all filters of one question."""
ORDERS: Final = 10
"""Terms by which one question sorts."""
DIMENSIONS: Final = 5
"""Dimensions by which one question splits."""
FILTERS_V1_CHARS: Final = 4_096
"""Length of `filters` in version 1 of the Stats API."""
QUESTION_BYTES: Final = 256 * 1024
"""Body of a question, as JSON."""
SQL_CHARS: Final = 64_000
"""Length of a question in SQL."""
SQL_VALUES: Final = 400_000_000
"""Values that one question in SQL may read: events of its sites and days, times columns."""
SQL_ANSWER_BYTES: Final = 64 << 20
"""Of one answer to a question in SQL, in any format."""


# ---- the ledger

LEDGER_LINES: Final = 100_000
"""Lines of one answer; a site has one for each hour with hits, and one for each reason there."""


def units(events: int, size: int) -> int:
    """Return the number of events charged for *events* in a body of *size* bytes."""
    return max(events, -(-size // EVENT_BYTES), 1)
