"""The sender of a request: its address behind trusted proxies, and the headers of an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from starlette.types import Scope

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.errors import Misconfigured
from analytics.ingest import forwarded_header, language
from analytics.ingest.addresses import ip_object, is_internal, parse_address, peer_address
from analytics.ingest.forwarding import is_direct
from analytics.limiter import local

Network = IPv4Network | IPv6Network


class Client(NamedTuple):
    """The sender of one request. `address` must not leave `ingest`."""

    address: str
    user_agent: str
    language: str
    """The first language of Accept-Language; "" when there is none."""
    opted_out: bool
    """Whether DNT or Sec-GPC is set."""
    authorization: str
    ahead: bool = False
    """Whether the browser fetches the page ahead, in case the visitor opens it."""
    here: bool = False
    """Whether the sender is a program on this machine that asks for itself."""


_CHAIN: Final = b"x-forwarded-for"
_STANDARD: Final = b"forwarded"


class TrustedProxies:
    """The proxies that are trusted to say who the visitor is.

    They say it in one of *address_headers*, else in X-Forwarded-For, else in Forwarded. What a
    proxy does not write it may pass on from the visitor, who could put any address there: so only
    the operator, who knows the proxy, can name other headers than those two.
    """

    def __init__(self, proxies: Iterable[str], address_headers: Iterable[str] = ()) -> None:
        self._named = tuple(name.lower().encode("latin-1") for name in address_headers)
        self._of_addresses = frozenset({_CHAIN, _STANDARD, *self._named})
        try:
            self._networks = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        except ValueError as exc:
            raise Misconfigured(f"ingest.trusted_proxies: {exc}") from exc
        self._trusted = bounded_cache(4096, longest=64)(self._is_trusted)

    def client(self, scope: Scope) -> Client:
        """Return the sender of the request *scope*."""
        user_agent = spoken = authorization = ""
        opted_out = ahead = False
        added: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value[: bounds.AGENT_CHARS].decode("latin-1")
            elif name == b"accept-language":
                spoken = _first_language(value[: bounds.LANGUAGE_BYTES])
            elif name == b"authorization":
                authorization = value[: bounds.AUTHORIZATION_BYTES].decode("latin-1")
            elif name in (b"dnt", b"sec-gpc"):
                opted_out = opted_out or value == b"1"
            elif name in (b"sec-purpose", b"purpose"):
                ahead = ahead or value.startswith((b"prefetch", b"prerender", b"preview"))
            elif name in self._of_addresses:
                text = value.decode("latin-1")
                added[name] = f"{added[name]},{text}" if name in added else text
        address = peer_address(scope)
        if added and self._trusted(address):
            address = self._visitor_of(added, address)
        here = local(address) and not added and is_direct(scope)
        return Client(address, user_agent, spoken, opted_out, authorization, ahead, here)

    def contains(self, peer: str) -> bool:
        """Return whether *peer* is trusted to say who the visitor is."""
        return self._trusted(peer)

    def visitor(self, senders: Sequence[str]) -> str:
        """Return the visitor's address among the *senders* of one line of an access log.

        It is the first that is neither internal nor a trusted proxy's, else the first. It is not
        the nearest, as in a live request, because the server that wrote the log trusted them all.
        """
        outside = (text for text in senders if not is_internal(text) and not self._trusted(text))
        return next(outside, senders[0])

    def _visitor_of(self, added: Mapping[bytes, str], peer: str) -> str:
        """Return the visitor's address by the headers that proxies *added*; else *peer*."""
        for name in self._named:
            nearest = self._nearest(_hops(added.get(name, "")), peer)
            if nearest != peer:
                return nearest
        chain = added.get(_CHAIN)
        if chain:
            return self._nearest(_hops(chain), peer)
        return self._nearest(forwarded_header.hops(added.get(_STANDARD, "")), peer)

    def _nearest(self, hops: Iterable[str], peer: str) -> str:
        """Return the first address of *hops* that is not a trusted proxy's; else *peer*.

        What is further away than an entry that is not an address could have been made up by the
        client.
        """
        nearest = peer
        for text in hops:
            address = parse_address(text)
            if address is None:
                break
            nearest = address
            if not self._trusted(address):
                break
        return nearest

    def _is_trusted(self, address: str) -> bool:
        parsed = ip_object(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _hops(chain: str) -> list[str]:
    """Return the addresses of a list with commas, the nearest first."""
    return chain.rsplit(",", bounds.HOPS)[: -bounds.HOPS - 1 : -1]


@bounded_cache(1024, longest=64)
def _first_language(header: bytes) -> str:
    return language.tag(header.decode("latin-1").partition(",")[0].partition(";")[0])
