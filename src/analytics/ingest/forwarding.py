"""Tells a request that a proxy passed on from one whose peer asks for itself.

What is for this machine or its network alone (no limits, `/metrics`, the job's answers without a
secret) is for the latter only: anybody may stand behind a proxy.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from analytics.ingest.addresses import is_internal, parse_address
from analytics.ingest.hostnames import PRIVATE_ENDINGS

ADDED_BY_PROXIES: Final = (
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "cf-connecting-ip",
    "true-client-ip",
    "b-forwarded-for",
    "x-plausible-ip",
)
"""Headers that proxies add, besides X-Forwarded-For."""
_RESERVED_ENDINGS: Final = PRIVATE_ENDINGS | {"test", "example", "invalid"}
"""No name that ends so is on the internet: RFC 6761 and 2606 reserve the last three."""


def is_direct(scope: Scope) -> bool:
    """Return whether nothing shows that a proxy passed this request on."""
    return proxy_sign(scope) is None


def proxy_sign(scope: Scope) -> str | None:
    """Return what shows that a proxy passed this request on; None if nothing does.

    It is one of a closed set of texts, none of which was sent. A direct request has no header that
    proxies add, and names this server as its machine and network do: a proxy that adds nothing
    still passes on the public name that the visitor asked for.
    """
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        # Of a header that comes twice the first one counts, as for most servers.
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    for name in ("x-forwarded-for", *ADDED_BY_PROXIES):
        if name in headers:
            return f"requests have {name.title()}"
    if _is_public(_host_of(headers.get("host", ""))):
        return "requests are for a public name, and come from this machine or a private network"
    if "sec-fetch-site" in headers and scope.get("http_version") == "1.0":
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
    return "." in name and name.rpartition(".")[2] not in _RESERVED_ENDINGS
