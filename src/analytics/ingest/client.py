"""The sender of a request: its address behind trusted proxies, and the headers of an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from starlette.types import Scope

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.errors import Misconfigured
from analytics.ingest import language
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
    here: bool = False
    """Whether the sender is a program on this machine that asks for itself."""


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
        opted_out = False
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value[: bounds.AGENT_CHARS].decode("latin-1")
            elif name == b"x-forwarded-for":
                text = value.decode("latin-1")
                forwarded = f"{forwarded},{text}" if forwarded else text
            elif name == b"accept-language":
                spoken = _first_language(value[: bounds.LANGUAGE_BYTES])
            elif name == b"authorization":
                authorization = value[: bounds.AUTHORIZATION_BYTES].decode("latin-1")
            elif name in (b"dnt", b"sec-gpc"):
                opted_out = opted_out or value == b"1"
        address = peer_address(scope)
        if forwarded and self._trusted(address):
            address = self._forwarded(forwarded, address)
        here = local(address) and is_direct(scope)
        return Client(address, user_agent, spoken, opted_out, authorization, here)

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
        known = ip_object(address)
        return known is not None and any(known in network for network in self._networks)


@bounded_cache(1024, longest=64)
def _first_language(header: bytes) -> str:
    return language.tag(header.decode("latin-1").partition(",")[0].partition(";")[0])
