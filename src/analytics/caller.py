"""The caller of queries: one request, as the queue in front of the store sees it.

All queries of a request have the same caller, so that a page is admitted as a whole, and nobody
gets more turns by asking more at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple


class Party(NamedTuple):
    """A party whose requests share the turns in the queue."""

    name: Hashable
    known: bool = False
    """Whether it is a logged-in person or a key, and not just an address."""


class Caller:
    """One request of *party*, whose requests share their turns.

    *left* returns when the client has disconnected, and no longer waits for the answer.
    """

    def __init__(
        self,
        party: Party,
        left: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.party = party
        self.let_in = False
        """Whether one of its queries has begun; from then on none of the others is refused."""
        self.asked_at: float | None = None
        """The time of its first query, by the event loop's clock."""
        self._left = left
        self._leaving: asyncio.Future[None] | None = None

    def leaving(self) -> asyncio.Future[None] | None:
        """Return a future that is done once the client has disconnected; None if unknown."""
        if self._leaving is None and self._left is not None:
            self._leaving = asyncio.ensure_future(self._left())
        return self._leaving

    def answered(self) -> None:
        """Stop watching for a disconnection."""
        if self._leaving is not None:
            self._leaving.cancel()


_asking: Final[ContextVar[Caller | None]] = ContextVar("guest", default=None)


def current() -> Caller | None:
    """Return the caller on whose behalf this code runs; None for the server's own work."""
    return _asking.get()


def set_person(person: Hashable) -> None:
    """Make *person*, who is logged in, the party of the current caller."""
    if (guest := _asking.get()) is not None:
        guest.party = Party(("person", person), known=True)


@contextmanager
def on_behalf_of(guest: Caller | None) -> Iterator[None]:
    """Ask on behalf of *guest* while the block runs; of None, on the server's own."""
    token = _asking.set(guest)
    try:
        yield
    finally:
        _asking.reset(token)
        if guest is not None:
            guest.answered()
