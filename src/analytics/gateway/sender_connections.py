"""Limits the connections of one sender, where no HAProxy in front does."""

from __future__ import annotations

from collections.abc import Callable

from analytics import bounds
from analytics.errors import TooMany
from analytics.ingest.addresses import is_internal, parse_address
from analytics.ingest.client import TrustedProxies
from analytics.limiter import sender

_FULL_S = 5.0
"""Seconds after which a refused sender may try again."""


def stranger(trust: TrustedProxies, peer: str) -> str:
    """Return under which name the connections of *peer* are counted; "" if they are not.

    Connections of a proxy, this machine or a private network may be of many people, who cannot be
    told apart before the first request.
    """
    address = parse_address(peer) or peer
    return "" if not peer or is_internal(address) or trust.contains(address) else sender(address)


class SenderConnections:
    """Counts open connections by sender, and refuses one that holds *most* already.

    *name_of* names the sender at an address; "" is not counted.
    """

    def __init__(
        self,
        most: int = bounds.CONNECTIONS_OF_SENDER,
        name_of: Callable[[str], str] = sender,
    ) -> None:
        self._most = most
        self._name_of = name_of
        self._held: dict[str, int] = {}

    def open(self, peer: str) -> str:
        """Count one more connection of *peer*; return what to give to `close`. Raises `TooMany`."""
        name = self._name_of(peer)
        if not name:
            return ""
        count = self._held.get(name, 0)
        if self._most and count >= self._most:
            raise TooMany(
                f"your address holds {count:,} connections already; close some", retry_after=_FULL_S
            )
        self._held[name] = count + 1
        return name

    def close(self, name: str) -> None:
        """Count one connection less for *name*, which `open` returned."""
        if not name:
            return
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]
