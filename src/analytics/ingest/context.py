"""The context that all endpoints for events share."""

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
    """The dependencies that all endpoints share, and the checks of a request's sender."""

    log: EventLog
    enricher: Enricher
    trust: TrustedProxies
    limits: Limits
    counts: RequestCounts

    def client(self, scope: Scope) -> Client:
        """Return the sender of a request. Raises `TooMany` when it has sent too many."""
        client = self.trust.client(scope)
        self.limits.check_address(client)
        return client

    def key(self, client: Client) -> Key | None:
        """Return the key that *client* sent; None when it sent none.

        Raises `Unauthenticated` for an unknown key, `TooMany` for one that was used too often.
        """
        key = self.enricher.key(client.authorization)
        if key is not None:
            self.limits.check_key(key, client)
        return key

    def charge(self, client: Client, key: Key | None, events: int, size: int) -> None:
        """Charge *client*, or its *key*, for a request of so many events and bytes.

        `client` or `key` has charged the first unit already. Raises `TooMany`.
        """
        units = bounds.units(events, size)
        if key is not None:
            units = -(-units // bounds.KEYED_EVENTS)
            if units > 1:
                self.limits.check_key(key, client, units - 1)
        elif units > 1:
            self.limits.check_address(client, units - 1)
