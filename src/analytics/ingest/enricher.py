"""From what a sender said to what the log holds: identity, place, agent and shields put in.

The sender's address comes in here and goes no further.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import Final

from analytics import access
from analytics.catalog.base import Keys, SaltMissing, Salts, Sites
from analytics.errors import Forbidden, Malformed
from analytics.event import Drop, DropReason, Hit
from analytics.ingest import hostnames, page_url, revenue_ceiling, shields, user_agents, visitor_id
from analytics.ingest.client import Client, parse_address
from analytics.ingest.geolocation import Place, Places
from analytics.ingest.spam import SpamReferrers
from analytics.ingest.text import clean
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key, Scope
from analytics.pipeline import source
from analytics.site import Shields, Site
from analytics.wildcard import admits

MAX_AGE_MS: Final = 72 * 3_600_000
"""How old an event may be that comes without a key."""
_AHEAD_DAYS: Final = 2
"""So many days' salts are made ahead: so long may the catalog be away."""
_NO_SHIELDS: Final = Shields()
_UNKNOWN_SITE: Final = 253
"""How much of an unknown site's name the ledger keeps: a domain's greatest length."""
MAX_UNKNOWN_SITES: Final = 500
"""How many unknown sites have lines of their own: made-up names must not fill the ledger."""


PAST: Final = -1
"""The day whose salt serves all days before those that have one of their own."""


def salts_needed(today: int) -> Sequence[int]:
    """Return the days whose salts an event without a cookie may need, now or soon.

    However many days the senders of old events go back to, these are all.
    """
    return (PAST, *range(_first_salted(today), today + _AHEAD_DAYS + 1))


def _first_salted(today: int) -> int:
    """Return the first day that has a salt of its own: events without a key reach back to it."""
    return today - -(-MAX_AGE_MS // visitor_id.DAY_MS)


class Enricher:
    """Turns `RawEvent` into `Hit`s and `Drop`s, one for each site that it names."""

    def __init__(
        self,
        *,
        sites: Sites,
        keys: Keys,
        salts: Salts,
        places: Places,
        clock: Callable[[], int],
        spam: SpamReferrers | None = None,
    ) -> None:
        self._spam = spam or SpamReferrers()
        self._sites = sites
        self._keys = keys
        self._salts = salts
        self.places = places
        self.clock = clock
        self._random = random.SystemRandom()
        self._unknown_sites: set[str] = set()
        self._foreign_hosts = hostnames.ForeignHostnames()
        self._bits = random.Random(self._random.getrandbits(128))  # noqa: S311 - ids, no secrets

    def key(self, authorization: str) -> Key | None:
        """The key in an Authorization header; None without one. Raises `Unauthenticated`."""
        return access.key(authorization, self._keys)

    def accept(
        self, sent: RawEvent, client: Client, key: Key | None = None
    ) -> Sequence[Hit | Drop]:
        """What to append to the log for *sent*.

        Raises `Malformed` for what can't be understood, `Forbidden` for what needs a key.
        """
        now = self.clock()
        parts = page_url.parse(sent.url, hash_mode=sent.hash_mode)
        origin = self._origin(sent, client, key)
        records: list[Hit | Drop] = []
        sites = [self._site(name) for name in sent.domains]
        # An event may be for several sites: a page of one, and a site that sums up many.
        domains = [site.domain for site in sites if site is not None]
        for name, site in zip(sent.domains, sites, strict=True):
            if site is None:
                records.append(
                    Drop(
                        site=self._unknown(name),
                        received_at=now,
                        reason=DropReason.UNKNOWN_SITE,
                    )
                )
                continue
            if key is not None or sent.ts is not None:
                self._check_rights(sent, site, key, now)
            place = self.places.of(origin.address)
            referrer = (
                page_url.referrer(sent.referrer, parts.hostname, site.domain)
                if sent.referrer
                else ""
            )
            reason = (
                DropReason.OPTED_OUT
                if origin.opted_out and (site.honour_dnt or sent.honours_opt_out)
                else _shielded(parts, origin, place, site)
                or _expired(sent, site, now)
                or self._nonsense(sent, parts, referrer, site, domains, key)
            )
            if reason is None:
                records.append(self._hit(sent, parts, origin, place, referrer, site, now))
            else:
                records.append(self._drop(site, parts, reason, now))
        return records

    async def accept_any_day(
        self, sent: RawEvent, client: Client, key: Key | None = None
    ) -> Sequence[Hit | Drop]:
        """As `accept`, after making the salt of a day that has none.

        Raises `StoreUnavailable` where it cannot be made.
        """
        try:
            return self.accept(sent, client, key)
        except SaltMissing as missing:
            await self.make_salt(missing)
        return self.accept(sent, client, key)

    async def make_salt(self, missing: SaltMissing) -> None:
        """Make the salt that is missing."""
        await self._salts.make([missing.day], today=self.clock() // visitor_id.DAY_MS)

    def _unknown(self, name: str) -> str:
        """Under which name the ledger counts what was sent to the unknown site *name*."""
        name = clean(name, _UNKNOWN_SITE).lower()
        if len(self._unknown_sites) < MAX_UNKNOWN_SITES:
            self._unknown_sites.add(name)
        return name if name in self._unknown_sites else ""

    def _origin(self, sent: RawEvent, client: Client, key: Key | None) -> Client:
        """Of whom the event speaks: its sender, or somebody for whom the sender may speak."""
        if sent.address is None and sent.user_agent is None:
            return client
        if key is None or Scope.EVENTS_WRITE not in key.scopes:
            field = "ip" if sent.address is not None else "user_agent"
            raise Forbidden(f"{field}: only a key with the scope events:write may forward it")
        address = client.address
        if sent.address is not None:
            parsed = parse_address(sent.address)
            if parsed is None:
                raise Malformed("ip", "it is not an IP address")
            address = parsed
        # Who forwards speaks for somebody else: its own headers say nothing about them.
        return Client(address, sent.user_agent or "", "", opted_out=False, authorization="")

    def _check_rights(self, sent: RawEvent, site: Site, key: Key | None, now: int) -> None:
        if key is not None and not key.allows(Scope.EVENTS_WRITE, site.domain):
            raise Forbidden(f"this key may not write events of {site.domain}")
        if sent.ts is not None and sent.ts < now - MAX_AGE_MS and key is None:
            raise Forbidden(
                "ts: it is more than 72 hours ago; that needs a key with the scope events:write"
            )

    def _site(self, name: str) -> Site | None:
        return self._sites.get(name) or self._sites.get(name.lower().removeprefix("www."))

    def _nonsense(
        self,
        sent: RawEvent,
        parts: page_url.PageUrl,
        referrer: str,
        site: Site,
        domains: Collection[str],
        key: Key | None,
    ) -> DropReason | None:
        """Why the event looks made up; None when it does not, or its site counts such ones."""
        if (
            not site.shields.hostnames  # a site that lists its hostnames has said which count
            and not parts.app_scheme
            and not sent.of_own_log
            and not hostnames.is_own(parts.hostname, domains)
            and not hostnames.is_local(parts.hostname)
            and not admits(site.other_hostnames, parts.hostname)
        ):
            return DropReason.FOREIGN_HOST
        if not site.count_spam_referrers and self._is_spam(referrer, parts.utm_source):
            return DropReason.SPAM_REFERRER
        # Who has a key is trusted with money.
        if (
            key is None
            and sent.revenue is not None
            and revenue_ceiling.is_above(sent.revenue, sent.currency, site.revenue_ceiling)
        ):
            return DropReason.REVENUE_CEILING
        return None

    def _is_spam(self, referrer: str, utm_source: str) -> bool:
        if referrer and self._spam.has(referrer.partition("/")[0]):
            return True
        return "." in utm_source and self._spam.has(source.host_of(utm_source.lower()))

    def _drop(self, site: Site, parts: page_url.PageUrl, reason: DropReason, now: int) -> Drop:
        hostname = ""
        if reason is DropReason.FOREIGN_HOST:
            hostname = self._foreign_hosts.of(site.domain, parts.hostname, now)
        return Drop(site=site.domain, received_at=now, reason=reason, hostname=hostname)

    def _hit(
        self,
        sent: RawEvent,
        parts: page_url.PageUrl,
        origin: Client,
        place: Place,
        referrer: str,
        site: Site,
        now: int,
    ) -> Hit:
        looks = user_agents.parse(origin.user_agent)
        ts = now if sent.ts is None else min(sent.ts, now)
        return Hit(
            event_id=sent.id or self.new_id(now),
            site=site.domain,
            ts=ts,
            received_at=now,
            visitor=self._visitor(sent, origin, site, ts, now),
            name=sent.name,
            hostname=parts.hostname,
            path=parts.path,
            title=sent.title,
            referrer=referrer,
            utm_source=parts.utm_source,
            utm_medium=parts.utm_medium,
            utm_campaign=parts.utm_campaign,
            utm_content=parts.utm_content,
            utm_term=parts.utm_term,
            click_id=parts.click_id,
            country=place.country,
            region=place.region,
            city=place.city,
            device=looks.device,
            browser=looks.browser,
            browser_version=looks.browser_version,
            os=looks.os,
            os_version=looks.os_version,
            screen=sent.screen,
            language=sent.language or origin.language,
            props=sent.props,
            revenue=sent.revenue,
            currency=sent.currency,
            scroll_depth=sent.scroll_depth,
            engaged_ms=sent.engaged_ms,
            interactive=sent.interactive,
            bot=None if sent.picture and looks.shows_mail else looks.bot,
            skew_ms=0 if sent.ts is None else max(0, sent.ts - now),
        )

    def _visitor(self, sent: RawEvent, origin: Client, site: Site, ts: int, now: int) -> int:
        if sent.vid is not None and not site.cookieless:
            return visitor_id.from_cookie(site.domain, sent.vid)
        # A reading belongs to whoever viewed the page, though midnight has passed meanwhile.
        day = max(0, ts - sent.engaged_ms) // visitor_id.DAY_MS
        salt = self._salt(day, now // visitor_id.DAY_MS)
        return visitor_id.hashed(salt, site.domain, origin.address, origin.user_agent)

    def _salt(self, day: int, today: int) -> bytes:
        if day >= _first_salted(today):
            return self._salts.of(day, today=today)
        return visitor_id.salt_of_past_day(self._salts.of(PAST, today=today), day)

    def new_id(self, now: int) -> str:
        """A UUIDv7 (RFC 9562) for an event whose sender gave it none."""
        bits = self._bits.getrandbits(74)
        return (
            f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{bits >> 62:03x}"
            f"-{0x8000 | bits >> 48 & 0x3FFF:04x}-{bits & 0xFFFFFFFFFFFF:012x}"
        )


def _shielded(
    parts: page_url.PageUrl, origin: Client, place: Place, site: Site
) -> DropReason | None:
    if site.shields == _NO_SHIELDS:
        return None
    return shields.rules(site.shields).refuses(
        address=origin.address, country=place.country, hostname=parts.hostname, path=parts.path
    )


def _expired(sent: RawEvent, site: Site, now: int) -> DropReason | None:
    """Refuse what the site's retention would delete at once; a log is imported as a whole."""
    if sent.ts is None or site.retention_days is None or sent.of_own_log:
        return None
    begins = now - site.retention_days * visitor_id.DAY_MS
    return DropReason.BEFORE_RETENTION if sent.ts < begins else None
