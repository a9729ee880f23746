"""Past requests: the lines of a server's log as records of one site."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final

from analytics.event import Drop, LogRecord, hash64
from analytics.ingest.client import Client, TrustedProxies, parse_address
from analytics.ingest.enricher import Enricher
from analytics.ingest.wire import access_log
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key, Scope
from analytics.site import Site

_REMEMBERED: Final = 200_000


class AccessLog:
    """One access log, read from its first line to its last.

    Everything but `received_at` and the visitor depends on the lines alone, so that importing
    the same file again makes the same event ids, and adds nothing.
    """

    def __init__(self, acceptance: Enricher, site: Site, trust: TrustedProxies) -> None:
        self._acceptance = acceptance
        self._trust = trust
        self._site = site
        self._copies = Copies()
        # Who may import may write what happened long ago.
        self._key = Key(id="import", scopes=(Scope.EVENTS_WRITE,), site=site.domain, created_at=0)

    async def read(self, line: bytes) -> LogRecord:
        """The record of *line*. Raises `Malformed` when it can't be read."""
        parsed = access_log.parse(line)
        reason = access_log.refusal(parsed, self._site.domain)
        if reason is not None:
            return Drop(site=self._site.domain, received_at=self._acceptance.clock(), reason=reason)
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
        (record,) = await self._acceptance.accept_any_day(sent, client, self._key)
        return record


def _address(text: str) -> str:
    """*text*, or when it is a host's name an address of its own, which nobody can have.

    100::/64 is for discarding (RFC 6666): such visitors stay apart, and their place unknown.
    """
    return parse_address(text) or str(IPv6Address((0x0100 << 112) | hash64(text)))


class Copies:
    """Counts lines that read alike, as long as they are not too many lines apart.

    The oldest half is forgotten when it is full: so the answer depends on the lines before
    alone, and a file that has grown gives the same ones again.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._half = remembered // 2
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def ordinal(self, line: bytes) -> int:
        """How many lines before it read like *line*."""
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        digest = blake2b(line, digest_size=16).digest()
        before = self._young.get(digest, self._old.get(digest, 0))
        self._young[digest] = before + 1
        return before
