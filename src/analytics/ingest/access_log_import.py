"""Imports past requests: turns the lines of a server's log into records of one site."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final

from analytics.event import Drop, LogRecord
from analytics.ingest.addresses import parse_address
from analytics.ingest.client import Client, TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.wire import access_log
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key, Scope
from analytics.site import Site
from analytics.stable_hash import hash64

_REMEMBERED: Final = 200_000


class AccessLog:
    """One access log, read from its first line to its last.

    Everything but `received_at` and the visitor depends on the lines alone, so that importing
    the same file again makes the same event ids, and adds nothing.
    """

    def __init__(self, enricher: Enricher, site: Site, trust: TrustedProxies) -> None:
        self._enricher = enricher
        self._trust = trust
        self._site = site
        self._copies = Copies()
        # Whoever may import may write events of any age.
        self._key = Key(id="import", scopes=(Scope.EVENTS_WRITE,), site=site.domain, created_at=0)

    async def read(self, line: bytes) -> LogRecord:
        """Return the record of *line*. Raises `Malformed` when it cannot be parsed."""
        parsed = access_log.parse(line)
        reason = access_log.refusal(parsed, self._site.domain)
        if reason is not None:
            return Drop(site=self._site.domain, received_at=self._enricher.clock(), reason=reason)
        sent = RawEvent(
            domains=(self._site.domain,),
            url=access_log.url(parsed, self._site.domain),
            referrer=parsed.referrer,
            id=access_log.event_id(self._site.domain, line, self._copies.ordinal(line)),
            ts=parsed.ts,
            of_own_log=True,
        )
        address = _address(self._trust.visitor(parsed.senders))
        client = Client(address, parsed.user_agent, "", opted_out=False, authorization="")
        (record,) = await self._enricher.accept_any_day(sent, client, self._key)
        return record


def _address(text: str) -> str:
    """Return the address in *text*, or for a host name an address that stands for it.

    It lies in 100::/64, the discard prefix of RFC 6666, which no visitor can have: each host name
    remains a visitor of its own, without a location.
    """
    return parse_address(text) or str(IPv6Address((0x0100 << 112) | hash64(text)))


class Copies:
    """Counts equal lines, unless too many lines lie between them.

    When it is full, the older half is discarded. The result depends only on the earlier lines, so
    importing a file again after it has grown gives the same numbers.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._half = remembered // 2
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def ordinal(self, line: bytes) -> int:
        """Return how many earlier lines are equal to *line*."""
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        digest = blake2b(line, digest_size=16).digest()
        before = self._young.get(digest, self._old.get(digest, 0))
        self._young[digest] = before + 1
        return before
