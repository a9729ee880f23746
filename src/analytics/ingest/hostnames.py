"""Decides which hostnames belong to a site; a hit of any other is foreign, or made up."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from analytics.bounded_cache import bounded_cache
from analytics.units import DAY_MS

_NAMED: Final = 100


def is_own(hostname: str, domains: Iterable[str]) -> bool:
    """Return whether *hostname* is one of *domains* or below one.

    A domain is a site's name, with its port if it has one. A site that is named by one word alone
    (`intranet`) does not say where its pages are: every hostname is its own.
    """
    for domain in domains:
        own = domain.partition(":")[0]
        if hostname == own or hostname.endswith(f".{own}") or "." not in own:
            return True
    return False


PRIVATE_ENDINGS: Final = frozenset(
    {"localhost", "localdomain", "local", "lan", "home", "internal", "intranet", "arpa"}
)
"""Last labels of names that no public network has: RFC 6761, 6762 and 8375, ICANN's `internal`,
and those that people use for their own networks."""


@bounded_cache(4096)
def is_local(hostname: str) -> bool:
    """Return whether *hostname* is private: on no public network, so not another site's.

    Pages under development have such names; the tracker sends them only if the tag asks for it.
    """
    if "." not in hostname and ":" not in hostname:
        return True  # `localhost`, `(none)`, a name of an intranet
    if hostname.rpartition(".")[2] in PRIVATE_ENDINGS:
        return True
    try:
        return not ip_address(hostname.strip("[]")).is_global
    except ValueError:
        return False


class ForeignHostnames:
    """Names so many foreign hostnames of each site a day: made-up ones must not fill the ledger."""

    def __init__(self, most: int = _NAMED) -> None:
        self._most = most
        self._day = 0
        self._by_site: dict[str, set[str]] = {}

    def of(self, site: str, hostname: str, now: int) -> str:
        """Return *hostname* if the ledger is to name it at *now*, in UTC milliseconds, else ""."""
        day = now // DAY_MS
        if day > self._day:  # else names made up once would hide real ones until a restart
            self._day = day
            self._by_site.clear()
        names = self._by_site.setdefault(site, set())
        if len(names) < self._most:
            names.add(hostname)
        return hostname if hostname in names else ""
