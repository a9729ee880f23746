"""Detects a proxy in front of this server that the settings do not name.

Behind such a proxy all visitors have its address: they count as one visitor without a cookie,
share one rate limit and one location, and shields cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.types import Scope

from analytics.ingest.client import ADDED_BY_PROXIES, TrustedProxies, is_internal, parse_address
from analytics.ingest.hostnames import PRIVATE_ENDINGS

log = structlog.get_logger()

_PRIVATE_ENDINGS: Final = PRIVATE_ENDINGS | {"test"}
"""`.test` is reserved for tests (RFC 6761), so it is no sign of a proxy."""

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
    peer = scope.get("client")
    sender = (parse_address(peer[0]) or peer[0]) if peer and peer[0] else "127.0.0.1"
    if not is_internal(sender):
        return None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if "x-forwarded-for" in headers:
        return None if trust.contains(sender) else NOT_NAMED
    sign = _sign(headers, scope.get("http_version", ""))
    return None if sign is None else _NOT_PASSED_ON.format(sign=sign)


def _sign(headers: Mapping[str, str], version: str) -> str | None:
    """Return what a direct request would not have; a closed set of texts, none of them sent."""
    for name in ADDED_BY_PROXIES:
        if name in headers:
            return f"requests have {name.title()}"
    if _is_public(_host_of(headers.get("host", ""))):
        return "requests are for a public name, and come from this machine or a private network"
    if "sec-fetch-site" in headers and version == "1.0":
        return "a browser's requests come by HTTP/1.0"
    if headers.get("sec-fetch-site") == "same-origin":
        page = _netloc(headers.get("origin") or headers.get("referer", ""))
        if page and _host_of(page) != _host_of(headers.get("host", "")):
            return "a browser's requests come with another host than it asked for"
    return None


def _netloc(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _host_of(netloc: str) -> str:
    """Return the host of `host:port` or `[address]:port`, in lower case."""
    if netloc.startswith("["):
        return netloc[1:].partition("]")[0].lower()
    return netloc.partition(":")[0].lower()


def _is_public(host: str) -> bool:
    address = parse_address(host)
    if address is not None:
        return not is_internal(address)
    name = host.rstrip(".")
    return "." in name and name.rpartition(".")[2] not in _PRIVATE_ENDINGS
