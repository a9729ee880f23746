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
"""The prefix length that providers give each customer at least: one address comes with 2⁶⁴."""
_NETWORK: Final = 48
"""The prefix length that most providers give on request: 65,536 networks of /64."""


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
        """Charge *units* to *name*; return 0.0, or the seconds to wait if that exceeds the limit.

        More units than the burst are admitted once nothing is owed, and are owed from then on.
        """
        if not self._cost:
            return 0.0
        name = name[:_LONGEST_NAME]
        now = self._clock()
        due = max(self._due.get(name, 0.0), now)
        # A millionth more, for rounding errors of floating-point sums.
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
    """The sender of a request."""

    @property
    def address(self) -> str:
        """The network address from which it comes."""

    @property
    def here(self) -> bool:
        """Whether the sender is this machine itself."""


class Senders:
    """A limit for each sender and, with *network*, one for each network of a customer."""

    def __init__(self, each: Limiter, network: Limiter | None = None) -> None:
        self._each = each
        self._network = network

    @classmethod
    def of(
        cls, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> Senders:
        """Return the limits with this rate for senders, and in proportion for their networks."""
        share = bounds.NETWORK_SHARE
        return cls(
            Limiter(per_second, burst, clock), Limiter(share * per_second, share * burst, clock)
        )

    def wait(self, address: str, units: int = 1, *, purpose: str = "") -> float:
        """Charge *units* to the sender at *address*, separately for each *purpose*.

        Return 0.0, or the seconds to wait if that exceeds the limit.
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
        """Return the limits with this rate for addresses, and in proportion for their networks."""
        return cls(Senders.of(per_second, burst), key)

    def check_address(self, requester: Requester, units: int = 1) -> None:
        """Charge *units* to the address of *requester*. Raise `TooMany`."""
        if requester.here:
            return
        if wait := self._senders.wait(requester.address, units):
            raise TooMany("too many requests from your address; slow down", retry_after=wait)

    def check_key(self, key: Key, requester: Requester, units: int = 1) -> None:
        """Charge *units* to *key*, which *requester* sent. Raise `TooMany`."""
        if not requester.here and (wait := self._key.wait(key.id, units)):
            raise TooMany("too many requests with this key; slow down", retry_after=wait)


def local(address: str) -> bool:
    """Return whether *address* is this machine's own."""
    return address.startswith("127.") or address == "::1"


def sender(address: str) -> str:
    """Return the name under which *address* is counted: for IPv6, that of its /64."""
    return _prefix(address, _CUSTOMER) if ":" in address else address


def network(address: str) -> str:
    """Return the name of the largest IPv6 network that the customer at *address* may have."""
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
