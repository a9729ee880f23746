"""Who sends: the address that we believe, and the headers that matter to an event."""

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
"""Headers by which a proxy says that somebody else asks, besides the one that is believed."""
_OF_PROXIES: Final = frozenset({b"x-forwarded-for", *(each.encode() for each in ADDED_BY_PROXIES)})

_INTERNAL: Final = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
         "172.16.0.0/12", "192.168.0.0/16", "::/127", "fc00::/7", "fe80::/10"),
    )
)  # fmt: skip
"""Networks that have no place of their own on the Internet: of machines behind a border."""


class Client(NamedTuple):
    """The sender of one request. `address` must not leave `ingest`."""

    address: str
    user_agent: str
    language: str
    """The first of Accept-Language; "" when that is none."""
    opted_out: bool
    """Whether DNT or Sec-GPC is set."""
    authorization: str
    direct: bool = True
    """Whether no header speaks of anybody else in front of the peer: it speaks for itself."""

    @property
    def here(self) -> bool:
        """Whether a program of this machine asks for itself. No header can say so."""
        return self.direct and local(self.address)


class TrustedProxies:
    """Which peers may say, by X-Forwarded-For, for whom they speak."""

    def __init__(self, proxies: Iterable[str]) -> None:
        try:
            self._networks = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        except ValueError as exc:
            raise Misconfigured(f"ingest.trusted_proxies: {exc}") from exc
        self._trusted = bounded_cache(4096, longest=64)(self._is_trusted)

    def client(self, scope: Scope) -> Client:
        """Read the sender off an ASGI *scope*."""
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
        """Whether X-Forwarded-For is believed when it comes from *peer*."""
        return self._trusted(peer)

    def visitor(self, senders: Sequence[str]) -> str:
        """Of the addresses that a log names for one request, the visitor's: the first that is
        neither internal nor a trusted proxy's, else the first.

        Not the nearest, as with a request of now: who wrote the log believed all of them.
        """
        outside = (text for text in senders if not is_internal(text) and not self._trusted(text))
        return next(outside, senders[0])

    def _forwarded(self, chain: str, peer: str) -> str:
        """The nearest address in *chain*, from the right, that is no trusted proxy's.

        Whatever stands left of what is not an address was written by nobody known.
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
    """Return the address of who is connected, whatever the headers say."""
    peer = scope.get("client")
    # A unix socket has no peer address; whoever may open it is on this machine.
    address = peer[0] if peer and peer[0] else "127.0.0.1"
    # A socket that listens for both families shows an IPv4 sender as `::ffff:8.8.8.8`.
    return parse_address(address) or address


def is_forwarded(scope: Scope) -> bool:
    """Return whether a proxy says that it hands on this request for somebody else."""
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
    """Return whether *address* is of a machine behind a border: it has no place of its own."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in _INTERNAL)


@bounded_cache(1024, longest=64)
def _first_language(header: bytes) -> str:
    return language.tag(header.decode("latin-1").partition(",")[0].partition(";")[0])
