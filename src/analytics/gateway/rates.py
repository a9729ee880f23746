"""How often one address, and one key, may ask for pages and of the API."""

from __future__ import annotations

from collections.abc import Hashable

from starlette.types import Scope

from analytics import access
from analytics.ingest.client import Trust
from analytics.limiter import Limits
from analytics.store.catalog.base import Keys


class Rates:
    """Counts requests by their sender, and by their key if it is one of ours.

    Whether the key may do what is asked is not decided here but where the answer is made.
    """

    def __init__(self, trust: Trust, keys: Keys, limits: Limits) -> None:
        self._trust = trust
        self._keys = keys
        self._limits = limits

    def check(self, scope: Scope) -> None:
        """Count one request. Raises `TooMany` when it is one too many."""
        client = self._trust.client(scope)
        self._limits.check_address(client.address)
        token = access.bearer(client.authorization)
        if token is not None and (key := self._keys.find(token)) is not None:
            self._limits.check_key(key, client.address)

    def party(self, scope: Scope) -> Hashable:
        """Whose request it is: those of one browser, or of one key, take turns as one."""
        client = self._trust.client(scope)
        cookies = tuple(value for name, value in scope["headers"] if name == b"cookie")
        return client.address, client.authorization, cookies
