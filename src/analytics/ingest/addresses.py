"""IP addresses: their canonical form, and which of them are not public."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import Scope

from analytics.bounded_cache import bounded_cache

_INTERNAL: Final = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
         "172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"),
    )
)  # fmt: skip
"""Networks whose addresses are not public: private, shared, loopback and link-local ones."""


def peer_address(scope: Scope) -> str:
    """Return the address at the other end of the connection, whatever the headers say."""
    peer = scope.get("client")
    # A unix socket has no peer address; whoever may open it is on this machine.
    address = peer[0] if peer and peer[0] else "127.0.0.1"
    # A socket that listens for both families shows an IPv4 sender as `::ffff:8.8.8.8`.
    return parse_address(address) or address


def parse_address(text: str) -> str | None:
    """Return the canonical form of an IP address; None when *text* is not an IP address.

    A port, brackets, an IPv6 zone and the IPv4-in-IPv6 prefix are removed.
    """
    return _canonical(text)


@bounded_cache(4096, longest=64)
def _canonical(text: str) -> str | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ip_object(text.partition("%")[0])  # the rest is the name of an interface there
    return None if address is None else str(address)


@bounded_cache(1024, longest=64)
def ip_object(text: str) -> IPv4Address | IPv6Address | None:
    """Return *text* as an address, one of IPv4 inside IPv6 as that of IPv4; None for no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_internal(address: str) -> bool:
    """Return whether *address* is not public, and so has no location."""
    parsed = ip_object(address)
    return parsed is not None and any(parsed in network for network in _INTERNAL)
