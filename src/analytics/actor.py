"""The actor of a change: the person or the command on whose behalf the code runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

COMMAND: Final = "a command"
SERVER: Final = "the server"
SETUP: Final = "the setup link"
STRANGER: Final = "a stranger"

_actor: Final[ContextVar[str]] = ContextVar("actor", default=SERVER)


def actor() -> str:
    """Return the current actor: an email address, or one of the names above."""
    return _actor.get()


@contextmanager
def acting_as(who: str) -> Iterator[None]:
    """Act on behalf of *who* while the block runs."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)
