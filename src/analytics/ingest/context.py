"""What every endpoint that takes events works with."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from analytics import bounds
from analytics.ingest.client import Client, TrustedProxies
from analytics.ingest.enricher import Enricher
from analytics.ingest.request_counts import RequestCounts
from analytics.limiter import Limits
from analytics.person import Key
from analytics.stream.base import EventLog


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestContext:
    """One set of these serves all endpoints."""

    log: EventLog
    acceptance: Enricher
    trust: TrustedProxies
    limits: Limits
    counts: RequestCounts

    def client(self, scope: Scope) -> Client:
        """Who sends this request. Raises `TooMany` when it has sent too many."""
        client = self.trust.client(scope)
        self.limits.check_address(client)
        return client

    def key(self, client: Client) -> Key | None:
        """The key of *client*, if it sent one. Raises `Unauthenticated` for one that is none,
        `TooMany` when it came too often."""
        key = self.acceptance.key(client.authorization)
        if key is not None:
            self.limits.check_key(key, client)
        return key

    def charge(self, client: Client, key: Key | None, events: int, size: int) -> None:
        """Charge *client*, or its *key*, for what the request turned out to hold.

        One unit has been charged already, when the request came. Raises `TooMany`.
        """
        units = bounds.units(events, size)
        if key is not None:
            units = -(-units // bounds.KEYED_EVENTS)
            if units > 1:
                self.limits.check_key(key, client, units - 1)
        elif units > 1:
            self.limits.check_address(client, units - 1)
