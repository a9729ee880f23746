"""The event: the one record that every part of the system speaks.

A *Hit* is an event as sent, with its sender's address already forgotten; it is what the log
holds. A *Row* is an event as stored: a Hit with its source, its channel, and the session
columns that make every visit figure a plain sum (docs/metrics.md). Times are UTC
milliseconds since 1970; text that was not sent is "".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

PAGEVIEW: Final = "pageview"
ENGAGEMENT: Final = "engagement"
NO_USER_AGENT: Final = "no-user-agent"
"""The value of `bot` for senders without a user agent."""
UNVERIFIED: Final = "unverified"
"""The value of `bot` for machines from an address that their operator does not publish."""


class DropReason(StrEnum):
    """The reason why a hit was dropped; its value is that of `x-analytics-dropped`."""

    UNKNOWN_SITE = "unknown-site"
    SHIELD_IP = "shield-ip"
    SHIELD_COUNTRY = "shield-country"
    SHIELD_PAGE = "shield-page"
    SHIELD_HOSTNAME = "shield-hostname"
    OPTED_OUT = "opted-out"
    NOT_A_PAGE = "not-a-page"
    NOT_OK = "not-ok"
    OTHER_HOST = "other-host"
    FOREIGN_HOST = "foreign-host"
    SPAM_REFERRER = "spam-referrer"
    REVENUE_CEILING = "revenue-ceiling"
    BEFORE_RETENTION = "before-retention"
    PRERENDERED = "prerendered"
    OVER_QUOTA = "over-quota"


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of an event besides visitor and time; a visit keeps its first event's."""

    hostname: str = ""
    path: str = ""
    title: str = ""
    referrer: str = ""
    """host/path, without scheme, `www.` and query; "" when direct or from the site itself."""
    utm_source: str = ""
    """`utm_source`, else `source`, else `ref` of the query string."""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_content: str = ""
    utm_term: str = ""
    click_id: str = ""
    """The kind of click id in the query string (`gclid`, `msclkid`…), never its value."""
    country: str = ""
    """ISO 3166-1 alpha-2."""
    region: str = ""
    """ISO 3166-2."""
    city: str = ""
    device: str = ""
    """Desktop, Mobile, Tablet, TV or Other."""
    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    screen: str = ""
    """`1920x1080`, as sent."""
    language: str = ""
    """BCP 47, lower case."""


class Hit(Attributes, frozen=True, kw_only=True, tag="hit", gc=False):
    """One pageview, custom event or engagement ping, as it lies in the log."""

    event_id: str
    """UUID, canonical lower case. (site, event_id) is unique: the first one wins."""
    site: str
    """The site's domain."""
    ts: int
    """When it happened; never after `received_at`."""
    received_at: int
    visitor: int
    """64 bits, unsigned."""
    name: str = PAGEVIEW
    props: dict[str, str] = {}
    revenue: str | None = None
    """A decimal number as text, at most three decimals."""
    currency: str = ""
    """ISO 4217."""
    scroll_depth: int | None = None
    """Percent, 0 to 100."""
    engaged_ms: int = 0
    interactive: bool = True
    """Whether the event keeps its visit from being a bounce."""
    bot: str | None = None
    """The reason why the sender counts as a machine; None for a person."""
    skew_ms: int = 0
    """By how much the client's clock ran ahead of ours (`ts` is clamped)."""


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop"):
    """A dropped hit: its time and the reason only, logged so that it is counted."""

    site: str
    received_at: int
    reason: str
    """A `DropReason`, or one that a later version knows: it is counted under its own name."""
    hostname: str = ""
    """The foreign hostname, if that is the reason, so that the site's owner can admit it."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True, tag="erasure"):
    """An erasure request in the log, which every process that follows the log obeys.

    It covers the rows of *site* with `received_at` <= *until*, wherever they lie in the log, also
    behind it: so several requests have the same effect in any order.
    """

    site: str
    until: int
    visitor: int | None = None
    """Only the rows of this visitor."""
    before: int | None = None
    """Only the days that ended by this moment, the beginning of a day of the site: retention."""
    shard: int
    """The position in the log.

    A visitor's request lies with the visitor's hits; of any other, one lies in each partition.
    """


LogRecord = Hit | Drop | Erasure


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event as stored: THE columns. Rows are written once and never change.

    The types here are Python's; `store/duckdb/schema.sql` gives DuckDB's, and a test holds them
    equal. Name the fields when making one; only `pipeline/fold.py` goes by their order, because
    that is five times as fast and it makes every row.
    """

    event_id: str
    site: str
    ts: int
    received_at: int
    visitor: int
    name: str
    hostname: str
    path: str
    title: str
    referrer: str
    source: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    click_id: str
    country: str
    region: str
    city: str
    device: str
    browser: str
    browser_version: str
    os: str
    os_version: str
    screen: str
    language: str
    props: dict[str, str]
    revenue: str | None
    currency: str
    scroll_depth: int | None
    engaged_ms: int
    interactive: bool
    bot: str | None
    skew_ms: int
    log_offset: int
    """The record's place in its partition of the log; orders events of equal `ts`."""
    # What the sessionizer adds.
    session: int
    """64 bits, unsigned; 0 for a ping outside any visit."""
    session_start: int
    """`ts` of the event that opened the visit."""
    opens: int
    """1 on the event that opened the visit, else 0. visits = sum(opens)."""
    engages: int
    """1 where the visit stops being a bounce, else 0. bounces = sum(opens) - sum(engages)."""
    gap_ms: int
    """By how much this event lengthens the visit. Total duration = sum(gap_ms)."""
    prev_path: str | None
    """On a pageview: the path of the visit's last pageview before it; None on the first.
    exits(page) = views(page) - count(prev_path = page)."""
    prev_hostname: str | None
    # The attributes of the event that opened the visit.
    entry_hostname: str
    entry_path: str
    entry_referrer: str
    entry_source: str
    entry_channel: str
    entry_utm_source: str
    entry_utm_medium: str
    entry_utm_campaign: str
    entry_utm_content: str
    entry_utm_term: str
    entry_country: str
    entry_region: str
    entry_city: str
    entry_device: str
    entry_browser: str
    entry_browser_version: str
    entry_os: str
    entry_os_version: str
    entry_screen: str
    entry_language: str
