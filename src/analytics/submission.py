"""One sending of a form, so that a form that is sent twice creates one thing.

A double click, or a browser that tries again, sends the same form twice, with the random token that
was rendered into it. The catalog's first change for such a form stores its digest in the same
transaction; the second sending finds it there. Secrets that a form creates are derived from it and
from the session, so that the second answer can show the same one, and nothing stores it.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

FIELD: Final = "once"
_DIGEST: Final = "sha256"
_TOKEN_BYTES: Final = 16


class AlreadyDone(Exception):
    """The same form was sent before, and has done what it says."""


class Submission:
    """The form with the *fields* that was posted to *path* in the session of that token."""

    def __init__(self, path: str, fields: Iterable[tuple[str, str]], session: str) -> None:
        content = json.dumps([path, sorted(fields)]).encode()
        self._key = session.encode()
        self.digest: Final = hmac.digest(self._key, b"form " + content, _DIGEST)
        self.is_spent = False
        """Whether a change was made for it in this request, so that further ones belong to it."""

    def secret(self, length: int) -> bytes:
        """Return *length* bytes, at most 32, the same for the same form."""
        return hmac.digest(self._key, b"secret " + self.digest, _DIGEST)[:length]


_current: Final[ContextVar[Submission | None]] = ContextVar("submission", default=None)


def current() -> Submission | None:
    """Return the form that this code carries out, if it may create something only once."""
    return _current.get()


@contextmanager
def none() -> Iterator[None]:
    """Carry out no form while the block runs, until `carry_out` names one."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def carry_out(submission: Submission) -> None:
    """Let the changes of the rest of this request belong to *submission*."""
    _current.set(submission)


def new_token() -> str:
    """Return the token of a form that is rendered now."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def new_secret(length: int) -> bytes:
    """Return *length* secret bytes, at most 32: the form's, if one is carried out, else random."""
    form = current()
    return secrets.token_bytes(length) if form is None else form.secret(length)
