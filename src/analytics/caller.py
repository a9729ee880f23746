"""The guest: one request, as the queue in front of the store knows it.

All questions of a request are asked by the same guest, so that a page is let in as a whole, and
so that nobody gets more turns by asking more at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple


class Party(NamedTuple):
    """Whose requests take turns as one."""

    name: Hashable
    known: bool = False
    """Whether it is a person who is logged in, or a key, and not just an address."""


class Caller:
    """One request of *party*: everything that one reader asks takes turns as one.

    *left* returns when the reader has gone away, and no longer waits for the answer.
    """

    def __init__(
        self,
        party: Party,
        left: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.party = party
        self.let_in = False
        """Whether one of its questions has begun; from then on none of the others is refused."""
        self.asked_at: float | None = None
        """When it asked its first question, by the event loop's clock."""
        self._left = left
        self._leaving: asyncio.Future[None] | None = None

    def leaving(self) -> asyncio.Future[None] | None:
        """Return a future that is done once the reader has left; None where nobody can tell."""
        if self._leaving is None and self._left is not None:
            self._leaving = asyncio.ensure_future(self._left())
        return self._leaving

    def answered(self) -> None:
        """Stop looking whether the reader is still there."""
        if self._leaving is not None:
            self._leaving.cancel()


_asking: Final[ContextVar[Caller | None]] = ContextVar("guest", default=None)


def current() -> Caller | None:
    """Return the guest on whose behalf this code runs; None for the server's own work."""
    return _asking.get()


def set_person(person: Hashable) -> None:
    """Let the guest on whose behalf this code runs take the turns of somebody who is logged in."""
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
