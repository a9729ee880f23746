"""Turns a decoded event into the `Hit` to be logged, or a `Drop` with the reason, in `STEPS`.

The client's IP address does not leave this module and `steps`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from analytics import access
from analytics.catalog.base import Keys, SaltMissing, Salts, Sites
from analytics.errors import Forbidden, Malformed
from analytics.event import Drop, DropReason, Hit
from analytics.ingest import hostnames, page_url, steps
from analytics.ingest.addresses import parse_address
from analytics.ingest.client import Client
from analytics.ingest.daily_quota import DailyQuota
from analytics.ingest.geolocation import Places
from analytics.ingest.machine_ranges import MachineRanges
from analytics.ingest.spam import SpamReferrers
from analytics.ingest.steps import Draft
from analytics.ingest.text import clean
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key, Scope
from analytics.site import Site
from analytics.units import DAY_MS

STEPS: Final[tuple[Callable[[Draft], DropReason | None], ...]] = (
    steps.check_rights,
    steps.locate,
    steps.clean_referrer,
    steps.honour_opt_out,
    steps.leave_out_fetched_ahead,
    steps.apply_shields,
    steps.check_retention,
    steps.check_hostname,
    steps.check_spam,
    steps.check_revenue,
    steps.parse_user_agent,
    steps.verify_machine,
    steps.identify_visitor,
    steps.check_quota,
)
"""What happens to an event for each of its sites, until a step returns why it is dropped. The
site is looked up and the URL parsed before, once for the event."""

_UNKNOWN_SITE: Final = 253
"""How much of an unknown site's name the ledger keeps: a domain's greatest length."""
MAX_UNKNOWN_SITES: Final = 500
"""How many unknown sites a day have lines of their own: made-up names must not fill the ledger."""
HOURLY_UNKNOWN_SITES: Final = 50
"""How many of them have a line for each hour; those after them, one for the day."""


class Enricher:
    """Turns a `RawEvent` into records, one for each site that it names."""

    def __init__(
        self,
        *,
        sites: Sites,
        keys: Keys,
        salts: Salts,
        places: Places,
        clock: Callable[[], int],
        spam: SpamReferrers | None = None,
        ranges: MachineRanges | None = None,
    ) -> None:
        self._services = steps.Services(
            places, salts, spam or SpamReferrers(), ranges or MachineRanges(), DailyQuota()
        )
        self._sites = sites
        self._keys = keys
        self._salts = salts
        self.places = places
        self.clock = clock
        self._random = random.SystemRandom()
        self._unknown_sites: dict[str, int] = {}
        """The unknown sites of the day, with how many there were before each."""
        self._unknown_day = 0
        self._foreign_hosts = hostnames.ForeignHostnames()
        self._bits = random.Random(self._random.getrandbits(128))  # noqa: S311 - ids, no secrets

    def key(self, authorization: str) -> Key | None:
        """Return the key in an Authorization header; None without one. Raises `Unauthenticated`."""
        return access.key(authorization, self._keys)

    def accept(
        self, event: RawEvent, client: Client, key: Key | None = None
    ) -> Sequence[Hit | Drop]:
        """Return the records to append to the log for *event*, one for each site.

        Raises `Malformed` for an invalid field, `Forbidden` for what needs a key, `SaltMissing`.
        """
        now = self.clock()
        url = page_url.parse(event.url, hash_mode=event.hash_mode)
        visitor = self._visitor(event, client, key)
        sites = [self._site(name) for name in event.domains]
        # An event may be for several sites: a page of one, and a site that sums up many.
        domains = [site.domain for site in sites if site is not None]
        records: list[Hit | Drop] = []
        for name, site in zip(event.domains, sites, strict=True):
            if site is None:
                records.append(self._unknown(name, now))
                continue
            draft = Draft(event, visitor, key, now, url, site, domains, self._services)
            for step in STEPS:
                reason = step(draft)
                if reason is not None:
                    records.append(self._drop(draft, reason))
                    break
            else:
                records.append(self._hit(draft))
        return records

    async def accept_any_day(
        self, event: RawEvent, client: Client, key: Key | None = None
    ) -> Sequence[Hit | Drop]:
        """Return what `accept` returns, after making the salt of a day that has none.

        Raises `StoreUnavailable` when the salt cannot be made.
        """
        try:
            return self.accept(event, client, key)
        except SaltMissing as missing:
            await self.make_salt(missing)
        return self.accept(event, client, key)

    async def make_salt(self, missing: SaltMissing) -> None:
        """Make the missing salt. Raises `StoreUnavailable`."""
        await self._salts.make([missing.day], today=self.clock() // DAY_MS)

    def _unknown(self, name: str, now: int) -> Drop:
        """Return the drop of an event for the unknown site *name*, as the ledger is to count it."""
        name = clean(name, _UNKNOWN_SITE).lower()
        day = now // DAY_MS
        if day > self._unknown_day:  # else names made up once would hide real ones until a restart
            self._unknown_day = day
            self._unknown_sites.clear()
        if len(self._unknown_sites) < MAX_UNKNOWN_SITES:
            self._unknown_sites.setdefault(name, len(self._unknown_sites))
        before = self._unknown_sites.get(name)
        return Drop(
            site="" if before is None else name,
            received_at=now if before is None or before < HOURLY_UNKNOWN_SITES else day * DAY_MS,
            reason=DropReason.UNKNOWN_SITE,
        )

    def _visitor(self, event: RawEvent, client: Client, key: Key | None) -> Client:
        """Return the visitor: the sender, or the one for whom a sender with a key forwards."""
        if event.address is None and event.user_agent is None:
            return client
        if key is None or Scope.EVENTS_WRITE not in key.scopes:
            field = "ip" if event.address is not None else "user_agent"
            raise Forbidden(f"{field}: only a key with the scope events:write may forward it")
        address = client.address
        if event.address is not None:
            parsed = parse_address(event.address)
            if parsed is None:
                raise Malformed("ip", "it is not an IP address")
            address = parsed
        # The headers of the forwarding sender say nothing about the visitor.
        return Client(address, event.user_agent or "", "", opted_out=False, authorization="")

    def _site(self, name: str) -> Site | None:
        return self._sites.get(name) or self._sites.get(name.lower().removeprefix("www."))

    def _drop(self, draft: Draft, reason: DropReason) -> Drop:
        domain, hostname = draft.site.domain, ""
        if reason is DropReason.FOREIGN_HOST:
            hostname = self._foreign_hosts.of(domain, draft.url.hostname, draft.now)
        return Drop(site=domain, received_at=draft.now, reason=reason, hostname=hostname)

    def _hit(self, draft: Draft) -> Hit:
        event, url, now = draft.event, draft.url, draft.now
        location, agent = draft.location, draft.user_agent
        return Hit(
            event_id=event.id or self.new_id(now),
            site=draft.site.domain,
            ts=draft.ts,
            received_at=now,
            visitor=draft.visitor,
            name=event.name,
            hostname=url.hostname,
            path=url.path,
            title=event.title,
            referrer=draft.referrer,
            utm_source=url.utm_source,
            utm_medium=url.utm_medium,
            utm_campaign=url.utm_campaign,
            utm_content=url.utm_content,
            utm_term=url.utm_term,
            click_id=url.click_id,
            country=location.country,
            region=location.region,
            city=location.city,
            device=agent.device,
            browser=agent.browser,
            browser_version=agent.browser_version,
            os=agent.os,
            os_version=agent.os_version,
            screen=event.screen,
            language=event.language or draft.client.language,
            props=event.props,
            revenue=event.revenue,
            currency=event.currency,
            scroll_depth=event.scroll_depth,
            engaged_ms=event.engaged_ms,
            interactive=event.interactive,
            bot=None if event.picture and agent.shows_mail else agent.bot,
            skew_ms=0 if event.ts is None else max(0, event.ts - now),
        )

    def new_id(self, now: int) -> str:
        """Return a new UUIDv7 (RFC 9562), for an event without an id."""
        bits = self._bits.getrandbits(74)
        return (
            f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{bits >> 62:03x}"
            f"-{0x8000 | bits >> 48 & 0x3FFF:04x}-{bits & 0xFFFFFFFFFFFF:012x}"
        )
