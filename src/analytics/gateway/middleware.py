"""Middleware: what happens to every request before its route, and to every response after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Message, Receive, Scope, Send

from analytics.errors import TooLarge
from analytics.parsing import digits

Header = tuple[bytes, bytes]

UNLESS_SET: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""For responses without security headers of their own: data for the caller, not a page."""


HTTPS_ONLY: Final[tuple[Header, ...]] = ((b"strict-transport-security", b"max-age=31536000"),)


def staying(send: Send) -> Send:
    """Return *send*, with redirects that name no host: a forged `Host` must lead nowhere."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, _path_of(value) if name.lower() == b"location" else value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return wrapped


def _path_of(location: bytes) -> bytes:
    if not location.startswith((b"http://", b"https://")):
        return location
    address = urlsplit(location)
    query = b"?" + address.query if address.query else b""
    return b"/" + address.path.lstrip(b"/") + query


def answering(send: Send, always: Sequence[Header], unless_set: Sequence[Header] = ()) -> Send:
    """Return *send*, with these headers added to the response."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            names = {name.lower() for name, _ in headers}
            more = [header for header in unless_set if header[0] not in names]
            message = {**message, "headers": [*headers, *always, *more]}
        await send(message)

    return wrapped


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """Return *receive*, limited to *most* bytes of body.

    Raise `TooLarge` at once if the sender announces more; else the *receive* that passes the limit
    raises it.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = digits(value.decode("latin-1"))
            if length is None or length > most:
                raise too_large(most)
    got = 0

    async def wrapped() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise too_large(most)
        return message

    return wrapped


def too_large(most: int) -> TooLarge:
    """Return the error for a body of more than *most* bytes."""
    return TooLarge(f"the body is larger than {most} bytes (gateway.max_body_bytes)")
