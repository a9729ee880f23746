"""Rate limits per sender, per key and per account, kept in memory: the generic cell rate algorithm.

Each name owes time: whatever it asks for adds 1/rate seconds for each unit of work to what it
owes, and is refused while the debt is more than the burst allows. Of too many names, the one that
came last the longest ago is forgotten.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Final, Protocol

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.errors import TooMany
from analytics.person import Key

MAX_NAMES: Final = 100_000
_LONGEST_NAME: Final = 254
"""As long as an email address can be."""
_CUSTOMER: Final = 64
"""Providers give each customer this much of IPv6 at least: whoever has one address has 2⁶⁴."""
_NETWORK: Final = 48
"""Who asks for more is given this much by most: 65,536 networks of a customer's size."""


class Limiter:
    """Admits *per_second* units of one name, and *burst* at once. 0 admits everything."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        names: int = MAX_NAMES,
    ) -> None:
        self._cost = 1 / per_second if per_second else 0.0
        self._burst = burst
        self._clock = clock
        self._names = names
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, name: str, units: int = 1) -> float:
        """Count so many more *units* of *name*: 0.0, or how many seconds it is too early.

        More than the burst are admitted once nothing else is owed, and are owed from then on.
        """
        if not self._cost:
            return 0.0
        name = name[:_LONGEST_NAME]
        now = self._clock()
        due = max(self._due.get(name, 0.0), now)
        # A millionth more, for what sums of floating-point numbers are off.
        room = self._burst - min(units, self._burst) + 1e-6
        early = due - now - self._cost * room
        if early > 0:
            return early
        self._due[name] = due + self._cost * units
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


class Requester(Protocol):
    """Who makes a request."""

    @property
    def address(self) -> str:
        """Where it comes from."""

    @property
    def here(self) -> bool:
        """Whether that is this machine itself."""


class Senders:
    """One limit for each sender, and with *network* one for all that a provider's customer has."""

    def __init__(self, each: Limiter, network: Limiter | None = None) -> None:
        self._each = each
        self._network = network

    @classmethod
    def of(
        cls, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> Senders:
        """Return the limits of senders that may do so much, and of their networks in proportion."""
        share = bounds.NETWORK_SHARE
        return cls(
            Limiter(per_second, burst, clock), Limiter(share * per_second, share * burst, clock)
        )

    def wait(self, address: str, units: int = 1, *, purpose: str = "") -> float:
        """Count so much more of the sender at *address*, for each *purpose* by itself.

        Return 0.0, or how many seconds it is too early.
        """
        wait = self._each.wait(purpose + sender(address), units)
        if not wait and self._network is not None and ":" in address:
            wait = self._network.wait(purpose + network(address), units)
        return wait

    def give_back(self, address: str, *, purpose: str = "") -> None:
        """Take back one request that was counted."""
        self._each.give_back(purpose + sender(address))
        if self._network is not None and ":" in address:
            self._network.give_back(purpose + network(address))


class Limits:
    """One limit for each sender and one for each key. This machine has none."""

    def __init__(self, address: Limiter | Senders, key: Limiter) -> None:
        self._senders = Senders(address) if isinstance(address, Limiter) else address
        self._key = key

    @classmethod
    def of(cls, per_second: float, burst: int, key: Limiter) -> Limits:
        """Return the limits whose addresses may do so much, and their networks in proportion."""
        return cls(Senders.of(per_second, burst), key)

    def check_address(self, requester: Requester, units: int = 1) -> None:
        """Count so much work for the address of *requester*. Raises `TooMany`."""
        if requester.here:
            return
        if wait := self._senders.wait(requester.address, units):
            raise TooMany("too many requests from your address; slow down", retry_after=wait)

    def check_key(self, key: Key, requester: Requester, units: int = 1) -> None:
        """Count so much work for *key*, which *requester* sent. Raises `TooMany`."""
        if not requester.here and (wait := self._key.wait(key.id, units)):
            raise TooMany("too many requests with this key; slow down", retry_after=wait)


def local(address: str) -> bool:
    """Return whether *address* is this machine's own."""
    return address.startswith("127.") or address == "::1"


def sender(address: str) -> str:
    """Return under which name *address* is counted: of IPv6, the network that a customer has."""
    return _prefix(address, _CUSTOMER) if ":" in address else address


def network(address: str) -> str:
    """Return the name of all of IPv6 that the customer at *address* can have been given."""
    return _prefix(address, _NETWORK)


@bounded_cache(4096, longest=64)
def _prefix(address: str, bits: int) -> str:
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed), bits), strict=False))
