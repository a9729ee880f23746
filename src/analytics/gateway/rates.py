"""Limits how often an address or a key may request pages and the API."""

from __future__ import annotations

from starlette.types import Scope

from analytics import access
from analytics.caller import Party
from analytics.catalog.base import Keys
from analytics.ingest.client import TrustedProxies
from analytics.limiter import Limits, sender


class Rates:
    """Counts requests by their sender, and by their key if it is one of ours.

    Whether the key is allowed to do what is requested is decided where the answer is made.
    """

    def __init__(self, trust: TrustedProxies, keys: Keys, limits: Limits) -> None:
        self._trust = trust
        self._keys = keys
        self._limits = limits

    def check(self, scope: Scope) -> None:
        """Count one request. Raise `TooMany` if it is over the limit."""
        client = self._trust.client(scope)
        self._limits.check_address(client)
        token = access.bearer(client.authorization)
        if token is not None and (key := self._keys.find(token)) is not None:
            self._limits.check_key(key, client)

    def party(self, scope: Scope) -> Party:
        """Return the party of a request: its key, or else its address.

        Unverified names do not count, because a name made up for each request would have a turn for
        each.
        """
        client = self._trust.client(scope)
        token = access.bearer(client.authorization)
        if token is not None and (key := self._keys.find(token)) is not None:
            return Party(("key", key.id), known=True)
        return Party(("address", sender(client.address)))
