"""Rate limits per sender, per key and per account, kept in memory: the generic cell rate algorithm.

Each name owes time: every request adds 1/rate seconds to what it owes, and is refused while
the debt is more than the burst allows. Of too many names, the one that came last the longest ago
is forgotten.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from analytics.bounded_cache import bounded_cache
from analytics.errors import TooMany
from analytics.person import Key

MAX_NAMES: Final = 100_000
_LONGEST_NAME: Final = 254
"""As long as an email address can be."""
_CUSTOMER: Final = 64
"""Providers give each customer this much of IPv6 at least: whoever has one address has 2⁶⁴."""


class Limiter:
    """Admits *per_second* requests of one name, and *burst* at once. 0 admits everything."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        names: int = MAX_NAMES,
    ) -> None:
        self._cost = 1 / per_second if per_second else 0.0
        # A millionth more, for what sums of floating-point numbers are off.
        self._tolerance = self._cost * (burst - 1 + 1e-6)
        self._clock = clock
        self._names = names
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, name: str) -> float:
        """Count one more request of *name*: 0.0, or how many seconds it is too early."""
        if not self._cost:
            return 0.0
        name = name[:_LONGEST_NAME]
        now = self._clock()
        due = max(self._due.get(name, 0.0), now)
        early = due - now - self._tolerance
        if early > 0:
            return early
        self._due[name] = due + self._cost
        self._due.move_to_end(name)
        if len(self._due) > self._names:
            self._due.popitem(last=False)
        return 0.0

    def give_back(self, name: str) -> None:
        """Take back one request of *name* that was counted."""
        name = name[:_LONGEST_NAME]
        if name in self._due:
            self._due[name] -= self._cost

    def forgive(self, name: str) -> None:
        """Forget what *name* owes."""
        self._due.pop(name[:_LONGEST_NAME], None)


class Limits:
    """One limit for each sender and one for each key. This machine has none."""

    def __init__(self, address: Limiter, key: Limiter) -> None:
        self._address = address
        self._key = key

    def check_address(self, address: str) -> None:
        """Count a request from *address*. Raises `TooMany`."""
        if not local(address) and (wait := self._address.wait(sender(address))):
            raise TooMany("too many requests from your address; slow down", retry_after=wait)

    def check_key(self, key: Key, address: str) -> None:
        """Count a request with *key*, from *address*. Raises `TooMany`."""
        if not local(address) and (wait := self._key.wait(key.id)):
            raise TooMany("too many requests with this key; slow down", retry_after=wait)


def local(address: str) -> bool:
    """Return whether *address* is this machine's own."""
    return address.startswith("127.") or address == "::1"


def sender(address: str) -> str:
    """Return under which name *address* is counted: of IPv6, the network that a customer has."""
    return _network(address) if ":" in address else address


@bounded_cache(4096)
def _network(address: str) -> str:
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), _CUSTOMER), strict=False))
