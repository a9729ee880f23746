"""The steps of enrichment: each fills in one part of a `Draft`, or returns why it is dropped.

`enricher.STEPS` has their order. A step that refuses the event raises `Forbidden` or `Malformed`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from analytics import machines, visitor_id
from analytics.catalog.base import Salts
from analytics.errors import Forbidden
from analytics.event import UNVERIFIED, DropReason
from analytics.ingest import hostnames, page_url, revenue_ceiling, user_agents
from analytics.ingest import shields as site_shields
from analytics.ingest.client import Client
from analytics.ingest.daily_quota import DailyQuota
from analytics.ingest.geolocation import Place, Places
from analytics.ingest.machine_ranges import MachineRanges
from analytics.ingest.salted_days import MAX_AGE_MS, PAST, first_salted
from analytics.ingest.spam import SpamReferrers
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key, Scope
from analytics.pipeline import source
from analytics.site import Shields, Site
from analytics.units import DAY_MS
from analytics.wildcard import admits

_NO_SHIELDS: Final = Shields()


class Services(NamedTuple):
    """The tables and stores in which steps look things up."""

    places: Places
    salts: Salts
    spam: SpamReferrers
    ranges: MachineRanges
    quota: DailyQuota


class Draft:
    """One event on its way to becoming a `Hit` of one site."""

    __slots__ = (
        "client", "domains", "event", "key", "location", "now", "referrer", "services", "site",
        "ts", "url", "user_agent", "visitor",
    )  # fmt: skip

    location: Place
    referrer: str
    user_agent: user_agents.ParsedAgent
    visitor: int

    def __init__(
        self,
        event: RawEvent,
        client: Client,
        key: Key | None,
        now: int,
        url: page_url.PageUrl,
        site: Site,
        domains: Collection[str],
        services: Services,
    ) -> None:
        self.event = event
        self.client = client
        """The visitor: the sender, or whoever a sender with a key forwards for."""
        self.key = key
        self.now = now
        self.ts = now if event.ts is None else min(event.ts, now)
        self.url = url
        self.site = site
        self.domains = domains
        """Of every known site that the event names: a visit to one may be counted in others."""
        self.services = services


def check_rights(draft: Draft) -> None:
    """Raise `Forbidden` for a key of another site, and for an old event without a key."""
    event, key = draft.event, draft.key
    if key is not None:
        if not key.allows(Scope.EVENTS_WRITE, draft.site.domain):
            raise Forbidden(f"this key may not write events of {draft.site.domain}")
    elif event.ts is not None and event.ts < draft.now - MAX_AGE_MS:
        raise Forbidden(
            "ts: it is more than 72 hours ago; that needs a key with the scope events:write"
        )


def locate(draft: Draft) -> None:
    """Find the country, region and city of the visitor's address."""
    draft.location = draft.services.places.of(draft.client.address)


def clean_referrer(draft: Draft) -> None:
    """Reduce the referrer to what is stored; "" for a page of the same site."""
    text = draft.event.referrer
    draft.referrer = page_url.referrer(text, draft.url.hostname, draft.site.domain) if text else ""


def honour_opt_out(draft: Draft) -> DropReason | None:
    """Drop events of visitors who opted out, where the site or its tracker honours that."""
    if draft.client.opted_out and (draft.site.honour_dnt or draft.event.honours_opt_out):
        return DropReason.OPTED_OUT
    return None


def leave_out_fetched_ahead(draft: Draft) -> DropReason | None:
    """Drop events of a page that the browser fetched ahead and has not shown.

    The tracker waits until a page is shown; the pixel cannot.
    """
    return DropReason.PRERENDERED if draft.client.ahead else None


def apply_shields(draft: Draft) -> DropReason | None:
    """Drop what the site's own rules exclude: addresses, countries, hostnames, paths."""
    if draft.site.shields == _NO_SHIELDS:
        return None
    return site_shields.rules(draft.site.shields).refuses(
        address=draft.client.address,
        country=draft.location.country,
        hostname=draft.url.hostname,
        path=draft.url.path,
    )


def check_retention(draft: Draft) -> DropReason | None:
    """Drop what the site's retention would delete at once; an own log is imported as a whole."""
    event, site = draft.event, draft.site
    if event.ts is None or site.retention_days is None or event.of_own_log:
        return None
    begins = draft.now - site.retention_days * DAY_MS
    return DropReason.BEFORE_RETENTION if event.ts < begins else None


def check_hostname(draft: Draft) -> DropReason | None:
    """Drop views of other sites' pages, which include the tracker without being this site's."""
    site, url = draft.site, draft.url
    if (
        not site.shields.hostnames  # a site that lists its hostnames has said which count
        and not url.app_scheme
        and not draft.event.of_own_log
        and not hostnames.is_own(url.hostname, draft.domains)
        and not hostnames.is_local(url.hostname)
        and not admits(site.other_hostnames, url.hostname)
    ):
        return DropReason.FOREIGN_HOST
    return None


def check_spam(draft: Draft) -> DropReason | None:
    """Drop visits with a referrer or a source that is known for spam."""
    if draft.site.count_spam_referrers:
        return None
    spam, utm_source = draft.services.spam, draft.url.utm_source
    if (draft.referrer and spam.has(draft.referrer.partition("/")[0])) or (
        "." in utm_source and spam.has(source.host_of(utm_source.lower()))
    ):
        return DropReason.SPAM_REFERRER
    return None


def check_revenue(draft: Draft) -> DropReason | None:
    """Drop a revenue above the site's ceiling; the sender of an event with a key is trusted."""
    event = draft.event
    if (
        event.revenue is not None
        and draft.key is None
        and revenue_ceiling.is_above(event.revenue, event.currency, draft.site.revenue_ceiling)
    ):
        return DropReason.REVENUE_CEILING
    return None


def parse_user_agent(draft: Draft) -> None:
    """Find browser, operating system and device, and whether the visitor is a bot."""
    draft.user_agent = user_agents.parse(draft.client.user_agent)


def verify_machine(draft: Draft) -> None:
    """Mark a machine that came from none of the addresses that its operator publishes."""
    agent = draft.user_agent
    if agent.shows_mail:
        return  # on behalf of whoever reads the mail
    if agent.bot is not None and draft.services.ranges.is_unverified(
        agent.browser, draft.client.address
    ):
        browser = agent.browser + machines.UNVERIFIED_SUFFIX
        draft.user_agent = agent._replace(bot=UNVERIFIED, browser=browser)


def identify_visitor(draft: Draft) -> None:
    """Compute the visitor id, from the cookie or from the day's salt. Raises `SaltMissing`."""
    event, site, client = draft.event, draft.site, draft.client
    if event.vid is not None and not site.cookieless:
        draft.visitor = visitor_id.from_cookie(site.domain, event.vid)
        return
    # An engagement has the id of the page view, even when midnight has passed since.
    day = max(0, draft.ts - event.engaged_ms) // DAY_MS
    salt = _salt(draft.services.salts, day, draft.now // DAY_MS)
    draft.visitor = visitor_id.hashed(salt, site.domain, client.address, client.user_agent)


def check_quota(draft: Draft) -> DropReason | None:
    """Drop what is beyond the site's events of a day; the sender of an event with a key is trusted.

    The last step, so that only what would be stored is counted.
    """
    if draft.key is None and not draft.services.quota.takes(draft.site, draft.now):
        return DropReason.OVER_QUOTA
    return None


def _salt(salts: Salts, day: int, today: int) -> bytes:
    if day >= first_salted(today):
        return salts.of(day, today=today)
    return visitor_id.salt_of_past_day(salts.of(PAST, today=today), day)
