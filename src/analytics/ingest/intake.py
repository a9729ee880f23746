"""What every endpoint that takes events works with."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from analytics.errors import TooMany
from analytics.ingest.accept import Acceptance
from analytics.ingest.client import Client, Trust
from analytics.ingest.counts import Counts
from analytics.ingest.limiter import Limiter
from analytics.stream.base import EventLog


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """One set of these serves all endpoints."""

    log: EventLog
    acceptance: Acceptance
    trust: Trust
    limiter: Limiter
    counts: Counts

    def client(self, scope: Scope) -> Client:
        """Who sends this request. Raises `TooMany` when it has sent too many."""
        client = self.trust.client(scope)
        if not self.limiter.admits(client.address):
            raise TooMany("too many requests from your address; slow down")
        return client
