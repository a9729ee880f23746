"""What a sender said of one event, whatever the wire format it said it in."""

from __future__ import annotations

import msgspec

from analytics.event import PAGEVIEW


class RawEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event as its sender describes it. Nothing in it is trusted yet but its types."""

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
