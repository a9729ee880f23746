"""Which hits a site refuses, and by which rule."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.site import Shields


class Rules:
    """A site's `Shields`, made ready to be asked for every hit."""

    def __init__(self, shields: Shields) -> None:
        self._networks = tuple(_network(text) for text in shields.addresses)
        self._countries = frozenset(country.upper() for country in shields.countries)
        self._pages = _wildcards(shields.pages)
        self._hostnames = _wildcards(
            name.strip().removeprefix("www.") for name in shields.hostnames
        )

    def refuses(self, *, address: str, country: str, hostname: str, path: str) -> DropReason | None:
        """The first rule that refuses such a hit; None when all admit it."""
        if self._networks and any(ip_address(address) in net for net in self._networks):
            return DropReason.SHIELD_IP
        if country in self._countries:
            return DropReason.SHIELD_COUNTRY
        if self._hostnames and not any(pattern.fits(hostname) for pattern in self._hostnames):
            return DropReason.SHIELD_HOSTNAME
        if any(pattern.fits(path) for pattern in self._pages):
            return DropReason.SHIELD_PAGE
        return None


@lru_cache(maxsize=4096)
def rules(shields: Shields) -> Rules:
    """The rules of *shields*. Raises `Malformed` naming a wrong one."""
    return Rules(shields)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise Malformed("addresses", f"{text!r} is no IP address and no network") from None


class Wildcard:
    """Text in which `*` stands for any text, matched without ever going back: a visitor chooses
    the path, and must not be able to choose one that takes long."""

    def __init__(self, pattern: str) -> None:
        self._first, *rest = re.split(r"\*+", pattern)
        self._last = rest.pop() if rest else None
        self._between = rest

    def fits(self, text: str) -> bool:
        """Whether the whole of *text* is of this form."""
        if self._last is None:
            return text == self._first
        at, end = len(self._first), len(text) - len(self._last)
        if at > end or not (text.startswith(self._first) and text.endswith(self._last)):
            return False
        for piece in self._between:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


def _wildcards(patterns: Iterable[str]) -> tuple[Wildcard, ...]:
    return tuple(Wildcard(pattern.strip()) for pattern in patterns)
