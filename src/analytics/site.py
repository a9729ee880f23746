"""A site: what its owner allows, and how its days are cut."""

from __future__ import annotations

import msgspec

from analytics.goal import Goal, Segment
from analytics.shared_link import SharedLink


class Shields(msgspec.Struct, frozen=True, kw_only=True):
    """Which hits a site refuses. An empty *hostnames* admits every hostname."""

    addresses: tuple[str, ...] = ()
    """IP addresses or CIDR networks."""
    countries: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    """Paths; `*` stands for any text, `**` too."""
    hostnames: tuple[str, ...] = ()
    """The only hostnames admitted, when there are any; `*` stands for any text."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One tracked site."""

    domain: str
    """Lower case, without `www.`; what the tracker sends as `d`, and the name in the rows."""
    id: str
    """UUID."""
    number: int
    timezone: str = "Etc/UTC"
    shields: Shields = Shields()
    honour_dnt: bool = False
    """Leave out hits that carry DNT or Sec-GPC."""
    cookieless: bool = False
    """Ignore the cookie id, and always use the daily hash."""
    retention_days: int | None = None
    """Rows older than this are deleted; None keeps them."""
    public: bool = False
    """Whether anyone may see the dashboard."""
    other_hostnames: tuple[str, ...] = ("*",)
    """Hostnames that count besides the site's own; `*` stands for any text. A site that was stored
    before it could say so counts every one."""
    count_spam_referrers: bool = False
    """Whether hits from known senders of made-up referrers count."""
    revenue_ceiling: int | None = None
    """The most that one event may say as its revenue, in units of its currency; None for about a
    million euros."""
    events_per_day: int | None = None
    """The most events that senders without a key may store a UTC day; None for any number."""
    goals: tuple[Goal, ...] = ()
    """By name."""
    segments: tuple[Segment, ...] = ()
    """By name; a person sees the shared ones and their own."""
    custom_properties: tuple[str, ...] = ()
    """Names of custom properties of events that the report offers, in order."""
    shared_links: tuple[SharedLink, ...] = ()
    """Links that open the report without a login, the newest last."""
    last_id: int = 0
    """The highest id that a goal, a segment or a shared link of the site has had."""
