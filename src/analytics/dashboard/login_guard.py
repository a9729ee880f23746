"""Who may try a password now: who guesses waits, and the people of an account are not held up.

A device that has logged in to an account, and the network from which somebody did, have their own
attempts, which nobody else can use up. Everybody else is a stranger to the account. Strangers have
few attempts for each network, and one after another of them wait longer, however many networks they
come from; nobody is refused for what others did, as long as there is room to wait.
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
"""Attempts of strangers on one account that do not wait."""
_REFILL_S: Final = 15.0
_STEP_S: Final = 1.0
"""By how much each further attempt of strangers waits longer."""
_LONGEST_WAIT_S: Final = 10.0
_WAITING: Final = 500
"""Strangers that may wait at a time."""
_AT_ONCE: Final = 4
"""Attempts of one device, or of one network's strangers, that may be under way at a time."""
_ACCOUNTS: Final = 10_000
_NETWORKS: Final = 8
"""Networks that are remembered of one account: in memory alone, as addresses are not kept."""
_SOON_S: Final = 2.0
_LOGIN: Final = "login"

Sleep = Callable[[float], Awaitable[object]]


class LoginGuard:
    """Lets attempts to log in through, at a pace that depends on who makes them."""

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
        """Let the block try a password for *email*; it gets whether it is at home there.

        *device* is the name of a device that has logged in to the account before. A block that
        ends without an error was right. Raises `TooMany` before the block begins.
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
        # Who knows one password must not buy guesses at another with it: one attempt is returned.
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
    """How long the next attempt of a stranger on an account has to wait; it never refuses one."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, email: str) -> float:
        """Count one more attempt on *email*, and return the seconds before it may be made."""
        now = self._clock() / 1000
        due = max(self._due.get(email, 0.0), now) + _REFILL_S
        beyond = (due - now) / _REFILL_S - _FREE
        most = _LONGEST_WAIT_S / _STEP_S
        # What is beyond the longest wait would only make the wait last when the attack is over.
        self._due[email] = min(due, now + _REFILL_S * (_FREE + most))
        self._due.move_to_end(email)
        if len(self._due) > _ACCOUNTS:
            self._due.popitem(last=False)
        return min(max(beyond, 0.0), most) * _STEP_S

    def forgive(self, email: str) -> None:
        """Forget the attempts on *email*."""
        self._due.pop(email, None)


class FamiliarNetworks:
    """The networks from which somebody logged in to an account last."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def knows(self, email: str, network: str) -> bool:
        """Return whether somebody has logged in to *email* from *network* of late."""
        return network in self._of.get(email, ())

    def remember(self, email: str, network: str) -> None:
        """Note that somebody has logged in to *email* from *network*."""
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
