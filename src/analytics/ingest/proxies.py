"""Detects a proxy in front of this server that the settings do not name.

Behind such a proxy all visitors have its address: they count as one visitor without a cookie,
share one rate limit and one location, and shields cannot tell them apart.
"""

from __future__ import annotations

from typing import Final

import structlog
from starlette.types import Scope

from analytics.ingest.addresses import is_internal, peer_address
from analytics.ingest.client import TrustedProxies
from analytics.ingest.forwarding import proxy_sign

log = structlog.get_logger()

NOT_NAMED: Final = (
    "X-Forwarded-For comes from a proxy that this server does not believe, so all of its visitors"
    " look like one. Name the proxy's address in ingest.trusted_proxies."
)
_NOT_PASSED_ON: Final = (
    "A proxy seems to stand in front of this server and to keep its visitors' addresses to itself"
    " ({sign}, and X-Forwarded-For is missing), so all of them look like one. Let it set"
    " X-Forwarded-For to the address that it sees; docs/operations.md has the lines for nginx."
)


class UnknownProxies:
    """Warns the operator, once for each sign, that a proxy is not configured."""

    def __init__(self, trust: TrustedProxies) -> None:
        self._trust = trust
        self._seen: dict[str, None] = {}

    @property
    def seen(self) -> tuple[str, ...]:
        """Return the warnings so far."""
        return tuple(self._seen)

    def notice(self, scope: Scope) -> None:
        """Check one request, and log a warning for a new sign."""
        advice = unknown_proxy(scope, self._trust)
        if advice is not None and advice not in self._seen:
            self._seen[advice] = None
            log.warning("proxy_not_set_up", advice=advice)


def unknown_proxy(scope: Scope, trust: TrustedProxies) -> str | None:
    """Return what to do about the proxy that this request came through; None without one.

    Only a request from this machine or a private network can show it: what others send proves
    nothing.
    """
    sender = peer_address(scope)
    if not is_internal(sender):
        return None
    if any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
        return None if trust.contains(sender) else NOT_NAMED
    if trust.client(scope).address != sender:
        return None  # it says who the visitor is by another header
    sign = proxy_sign(scope)
    return None if sign is None else _NOT_PASSED_ON.format(sign=sign)
