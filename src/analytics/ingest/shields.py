"""Applies a site's shields: rules that exclude hits by address, country, hostname or path."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.site import Shields
from analytics.wildcard import Wildcard, admits, wildcards

__all__ = ["Rules", "Wildcard", "rules"]


class Rules:
    """A site's `Shields`, parsed once for all hits."""

    def __init__(self, shields: Shields) -> None:
        self._networks = tuple(_network(text) for text in shields.addresses)
        self._countries = frozenset(country.upper() for country in shields.countries)
        self._pages = wildcards(shields.pages)
        self._hostnames = shields.hostnames

    def refuses(self, *, address: str, country: str, hostname: str, path: str) -> DropReason | None:
        """Return the reason of the first rule that excludes such a hit; None when none does."""
        if self._networks and any(ip_address(address) in net for net in self._networks):
            return DropReason.SHIELD_IP
        if country in self._countries:
            return DropReason.SHIELD_COUNTRY
        if self._hostnames and not admits(self._hostnames, hostname):
            return DropReason.SHIELD_HOSTNAME
        if any(pattern.fits(path) for pattern in self._pages):
            return DropReason.SHIELD_PAGE
        return None


@lru_cache(maxsize=4096)
def rules(shields: Shields) -> Rules:
    """Return the parsed rules of *shields*. Raises `Malformed`, which names the wrong rule."""
    return Rules(shields)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise Malformed("addresses", f"{text!r} is neither an IP address nor a network") from None
