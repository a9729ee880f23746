"""Limits on attempts to log in: guessing is slowed down, and account holders are not locked out.

A device that has logged in to an account, and a network from which somebody has, get attempts of
their own, which nobody else can use up. Everybody else is a stranger to the account. Strangers get
few attempts per network, and each further attempt on the same account waits longer, however many
networks they come from. Nobody is refused because of others unless too many are waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from analytics.dashboard.throttle import Throttle
from analytics.errors import TooMany
from analytics.limiter import sender

_FREE: Final = 10
"""Attempts by strangers on one account that do not have to wait."""
_REFILL_S: Final = 15.0
_STEP_S: Final = 1.0
"""Seconds that each further attempt by strangers waits longer than the one before."""
_LONGEST_WAIT_S: Final = 10.0
_WAITING: Final = 500
"""The most strangers that may wait at a time."""
_AT_ONCE: Final = 4
"""The most attempts of one device or network that may be under way at a time."""
_ACCOUNTS: Final = 10_000
_NETWORKS: Final = 8
"""Networks remembered for each account, in memory only: addresses are never stored."""
_SOON_S: Final = 2.0
_LOGIN: Final = "login"

Sleep = Callable[[float], Awaitable[object]]


class LoginGuard:
    """Admits attempts to log in, at a pace that depends on where they come from."""

    def __init__(
        self, throttle: Throttle, clock: Callable[[], int], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._throttle = throttle
        self._pace = AttemptPace(clock)
        self._familiar = FamiliarNetworks()
        self._sleep = sleep
        self._waiting = 0
        self._under_way: Counter[str] = Counter()

    @asynccontextmanager
    async def attempt(self, email: str, address: str, device: str | None) -> AsyncIterator[bool]:
        """Run the block, which tries a password for *email*, once the attempt may be made.

        Yield True for a device or network that the account has been used from, else False.
        *device* is the name of a device that has logged in to the account before, if it is one. A
        block that ends without an exception counts as a successful login. Raise `TooMany` before
        the block begins.
        """
        network = sender(address)
        at_home = device is not None or self._familiar.knows(email, network)
        if device is not None:
            name = f"device {device}"
        else:
            name = f"network {network} of {email}" if at_home else f"address {network}"
        if self._under_way[name] >= _AT_ONCE:
            raise _try_again()
        if at_home:
            self._throttle.take(name)
        else:
            self._throttle.take_from(address, _LOGIN)
        self._under_way[name] += 1
        try:
            if not at_home:
                await self._wait(email)
            yield at_home
        finally:
            self._under_way[name] -= 1
            if not self._under_way[name]:
                del self._under_way[name]
        # Only this attempt is returned: otherwise whoever knows one password could use it to
        # gain attempts at another.
        if at_home:
            self._throttle.give_back(name)
        else:
            self._throttle.give_back_to(address, _LOGIN)
        self._pace.forgive(email)
        self._familiar.remember(email, network)

    async def _wait(self, email: str) -> None:
        seconds = self._pace.wait(email)
        if not seconds:
            return
        if self._waiting >= _WAITING:
            raise _try_again()
        self._waiting += 1
        try:
            await self._sleep(seconds)
        finally:
            self._waiting -= 1


class AttemptPace:
    """Computes how long attempts by strangers on an account must wait; it never refuses one."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, email: str) -> float:
        """Count an attempt on *email* and return how many seconds it must wait."""
        now = self._clock() / 1000
        due = max(self._due.get(email, 0.0), now) + _REFILL_S
        beyond = (due - now) / _REFILL_S - _FREE
        most = _LONGEST_WAIT_S / _STEP_S
        # Capped: any more would only prolong the waits after an attack has ended.
        self._due[email] = min(due, now + _REFILL_S * (_FREE + most))
        self._due.move_to_end(email)
        if len(self._due) > _ACCOUNTS:
            self._due.popitem(last=False)
        return min(max(beyond, 0.0), most) * _STEP_S

    def forgive(self, email: str) -> None:
        """Forget the attempts on *email*."""
        self._due.pop(email, None)


class FamiliarNetworks:
    """The networks from which each account was last used."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def knows(self, email: str, network: str) -> bool:
        """Return True if *network* is one of the last from which *email* has logged in."""
        return network in self._of.get(email, ())

    def remember(self, email: str, network: str) -> None:
        """Record a login to *email* from *network*."""
        networks = self._of.setdefault(email, OrderedDict())
        networks[network] = None
        networks.move_to_end(network)
        if len(networks) > _NETWORKS:
            networks.popitem(last=False)
        self._of.move_to_end(email)
        if len(self._of) > _ACCOUNTS:
            self._of.popitem(last=False)


def _try_again() -> TooMany:
    return TooMany(
        "Many attempts to log in are under way. Try again in a moment.", retry_after=_SOON_S
    )
