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
        self._pages = _any_of(shields.pages)
        self._hostnames = _any_of(name.removeprefix("www.") for name in shields.hostnames)

    def refuses(self, *, address: str, country: str, hostname: str, path: str) -> DropReason | None:
        """The first rule that refuses such a hit; None when all admit it."""
        if self._networks and any(ip_address(address) in net for net in self._networks):
            return DropReason.SHIELD_IP
        if country in self._countries:
            return DropReason.SHIELD_COUNTRY
        if self._hostnames is not None and self._hostnames.fullmatch(hostname) is None:
            return DropReason.SHIELD_HOSTNAME
        if self._pages is not None and self._pages.fullmatch(path) is not None:
            return DropReason.SHIELD_PAGE
        return None


@lru_cache(maxsize=4096)
def rules(shields: Shields) -> Rules | None:
    """The rules of *shields*; None when there are none. Raises `Malformed` naming a wrong one."""
    return None if shields == Shields() else Rules(shields)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise Malformed("addresses", f"{text!r} is no IP address and no network") from None


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    parts = [
        ".*".join(re.escape(piece) for piece in re.split(r"\*+", pattern.strip()))
        for pattern in patterns
    ]
    return re.compile("|".join(f"(?:{part})" for part in parts), re.DOTALL) if parts else None
