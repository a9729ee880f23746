"""The sender of a request: its address behind trusted proxies, and the headers of an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from starlette.types import Scope

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.errors import Misconfigured
from analytics.ingest import language
from analytics.limiter import local

Network = IPv4Network | IPv6Network

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
)
"""Headers that proxies add, besides X-Forwarded-For. Nothing in them is trusted."""
_OF_PROXIES: Final = frozenset({b"x-forwarded-for", *(each.encode() for each in ADDED_BY_PROXIES)})

_INTERNAL: Final = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
         "172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"),
    )
)  # fmt: skip
"""Networks whose addresses are not public: private, shared, loopback and link-local ones."""


class Client(NamedTuple):
    """The sender of one request. `address` must not leave `ingest`."""

    address: str
    user_agent: str
    language: str
    """The first language of Accept-Language; "" when there is none."""
    opted_out: bool
    """Whether DNT or Sec-GPC is set."""
    authorization: str
    direct: bool = True
    """Whether no header shows a proxy between the visitor and this server."""

    @property
    def here(self) -> bool:
        """Return whether the sender is a program on this machine. No header can fake that."""
        return self.direct and local(self.address)


class TrustedProxies:
    """The proxies whose X-Forwarded-For header is trusted."""

    def __init__(self, proxies: Iterable[str]) -> None:
        try:
            self._networks = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        except ValueError as exc:
            raise Misconfigured(f"ingest.trusted_proxies: {exc}") from exc
        self._trusted = bounded_cache(4096, longest=64)(self._is_trusted)

    def client(self, scope: Scope) -> Client:
        """Return the sender of the request *scope*."""
        forwarded = user_agent = spoken = authorization = ""
        opted_out, direct = False, True
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value[: bounds.AGENT_CHARS].decode("latin-1")
            elif name == b"x-forwarded-for":
                direct = False
                text = value.decode("latin-1")
                forwarded = f"{forwarded},{text}" if forwarded else text
            elif name == b"accept-language":
                spoken = _first_language(value[: bounds.LANGUAGE_BYTES])
            elif name == b"authorization":
                authorization = value[: bounds.AUTHORIZATION_BYTES].decode("latin-1")
            elif name in (b"dnt", b"sec-gpc"):
                opted_out = opted_out or value == b"1"
            elif name in _OF_PROXIES:
                direct = False
        address = peer_address(scope)
        if forwarded and self._trusted(address):
            address = self._forwarded(forwarded, address)
        return Client(address, user_agent, spoken, opted_out, authorization, direct)

    def contains(self, peer: str) -> bool:
        """Return whether X-Forwarded-For is trusted when it comes from *peer*."""
        return self._trusted(peer)

    def visitor(self, senders: Sequence[str]) -> str:
        """Return the visitor's address among the *senders* of one line of an access log.

        It is the first that is neither internal nor a trusted proxy's, else the first. It is not
        the nearest, as in a live request, because the server that wrote the log trusted them all.
        """
        outside = (text for text in senders if not is_internal(text) and not self._trusted(text))
        return next(outside, senders[0])

    def _forwarded(self, chain: str, peer: str) -> str:
        """Return the rightmost address in *chain* that is not a trusted proxy's; else *peer*.

        Anything left of an entry that is not an address could have been made up by the client.
        """
        nearest = peer
        for text in chain.rsplit(",", bounds.HOPS)[: -bounds.HOPS - 1 : -1]:
            address = parse_address(text)
            if address is None:
                break
            nearest = address
            if not self._trusted(address):
                break
        return nearest

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def peer_address(scope: Scope) -> str:
    """Return the address at the other end of the connection, whatever the headers say."""
    peer = scope.get("client")
    # A unix socket has no peer address; whoever may open it is on this machine.
    address = peer[0] if peer and peer[0] else "127.0.0.1"
    # A socket that listens for both families shows an IPv4 sender as `::ffff:8.8.8.8`.
    return parse_address(address) or address


def is_forwarded(scope: Scope) -> bool:
    """Return whether a header shows that a proxy forwarded this request."""
    return any(name in _OF_PROXIES for name, _ in scope["headers"])


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
    parsed = _parsed(text.partition("%")[0])  # the rest is the name of an interface there
    return None if parsed is None else str(parsed)


@bounded_cache(1024, longest=64)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_internal(address: str) -> bool:
    """Return whether *address* is not public, and so has no location."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in _INTERNAL)


@bounded_cache(1024, longest=64)
def _first_language(header: bytes) -> str:
    return language.tag(header.decode("latin-1").partition(",")[0].partition(";")[0])
