"""Reads the API key in a request's `Authorization` header, and checks its scope."""

from __future__ import annotations

from typing import Protocol

from analytics.errors import Forbidden, Unauthenticated
from analytics.person import Key, Scope


class KeyRing(Protocol):
    """Keys that can be found by their secret."""

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, None when there is none."""


def bearer(authorization: str) -> str | None:
    """Return the token of an `Authorization: Bearer …` header.

    Return None without a header, or for one of another scheme: that is meant for a proxy in front
    of us, and browsers send it unasked.
    """
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def key(authorization: str, keys: KeyRing) -> Key | None:
    """Return the key that the header names, None when it names none.

    Raises `Unauthenticated` for a key that is not in *keys*.
    """
    token = bearer(authorization)
    if token is None:
        return None
    match = keys.find(token)
    if match is None:
        raise Unauthenticated("this key is unknown, was revoked or has expired")
    return match


def check(sent: Key | None, scope: Scope) -> Key:
    """Return the key if it has *scope*. Raises `Unauthenticated` without one, `Forbidden`."""
    if sent is None:
        raise Unauthenticated(f"send a key with the scope {scope}: `Authorization: Bearer <key>`")
    if scope not in sent.scopes:
        raise Forbidden(f"this key lacks the scope {scope}")
    return sent
