"""Reads request bodies and sends responses in bare ASGI, without a framework, for the hot path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from analytics import problem, request_id
from analytics.errors import AnalyticsError, Invalid, MethodNotAllowed, TooLarge

Header = tuple[bytes, bytes]

# Any page may send events, without cookies, and read the answer, also when it isolates itself by
# Cross-Origin-Embedder-Policy: nothing in an answer is private.
CORS: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"access-control-expose-headers", b"x-analytics-receipt, x-analytics-dropped, x-request-id"),
)
_PREFLIGHT: Final[tuple[Header, ...]] = (
    *CORS,
    (b"access-control-allow-methods", b"POST, GET, OPTIONS"),
    (b"access-control-max-age", b"86400"),
    (b"vary", b"access-control-request-headers"),
    (b"content-length", b"0"),
)
_USUAL_HEADERS: Final = b"content-type, authorization, x-debug-request"
_HEADERS_ASKED_FOR: Final = re.compile(rb"[\w!#$%&'*+.^`|~, -]{1,4096}")
TEXT_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/plain; charset=utf-8"),
    *CORS,
)
JSON_HEADERS: Final[tuple[Header, ...]] = ((b"content-type", b"application/json"), *CORS)


async def body(receive: Receive, limit: int) -> bytes:
    """Return the whole body.

    Raises `TooLarge` as soon as it exceeds *limit* bytes, `Invalid` when the client disconnects
    before its end. After `TooLarge` the server reads the rest and discards it, because a client
    whose connection is closed while it sends would not see the answer.
    """
    data = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("the body was cut off")
        piece: bytes = message.get("body", b"")
        data += piece
        if len(data) > limit:
            raise TooLarge(too_large(limit))
        if not message.get("more_body"):
            return data


async def answer(send: Send, status: int, content: bytes, headers: Iterable[Header]) -> None:
    """Send a whole response."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(content))],
        }
    )
    await send({"type": "http.response.body", "body": content})


async def text(send: Send, status: int, content: bytes, headers: Iterable[Header] = ()) -> None:
    """Answer in plain text, to any origin."""
    await answer(send, status, content, (*TEXT_HEADERS, *headers))


async def json(send: Send, status: int, content: object, headers: Iterable[Header] = ()) -> None:
    """Answer in JSON, to any origin."""
    await answer(send, status, msgspec.json.encode(content), (*JSON_HEADERS, *headers))


async def preflight(scope: Scope, send: Send) -> None:
    """Answer a CORS preflight request: any origin may send, with any headers.

    Monitoring adds its own (`traceparent`, `sentry-trace`) to every request of a page.
    """
    allowed = _USUAL_HEADERS
    for name, value in scope["headers"]:
        if name == b"access-control-request-headers" and _HEADERS_ASKED_FOR.fullmatch(value):
            allowed = value
    headers = [*_PREFLIGHT, (b"access-control-allow-headers", allowed)]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def wrong_method(method: str) -> MethodNotAllowed:
    """Return the error for a request with another method than *method*."""
    return MethodNotAllowed(f"this address answers {method} only", allow=method)


def too_large(limit: int) -> str:
    """Return the message for a body of more than *limit* bytes."""
    return f"the body is larger than {limit} bytes; send fewer events in one request"


def refusal(scope: Scope, error: AnalyticsError) -> tuple[list[Header], bytes]:
    """Return the headers and the body that describe *error*."""
    headers = [*JSON_HEADERS]
    headers += ((name.encode(), value.encode()) for name, value in problem.headers(error))
    return headers, problem.encode(error, request_id.of(scope).decode())


async def refuse(scope: Scope, send: Send, error: AnalyticsError) -> None:
    """Answer with *error*."""
    headers, content = refusal(scope, error)
    await answer(send, error.status, content, headers)
