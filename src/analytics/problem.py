"""Encodes errors as JSON and restores them: the one shape for clients and other processes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import msgspec

from analytics import errors
from analytics.errors import (
    AnalyticsError,
    Malformed,
    MethodNotAllowed,
    TooMany,
    Unavailable,
    UnsupportedCoding,
)

MEDIA_TYPE: Final = "application/json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong: `error` is for a person to read, `code` for a program."""

    error: str
    code: str
    field: str | None = None
    """Of `malformed` alone: the member that is wrong, "" for the whole request."""
    request_id: str = ""
    """The id of the request in the log."""


def describe(error: Exception, request_id: str = "") -> Problem:
    """Return the problem for *error*; without details for any but an `AnalyticsError`."""
    if isinstance(error, AnalyticsError):
        field = error.field if isinstance(error, Malformed) else None
        return Problem(error=str(error), code=error.code, field=field, request_id=request_id)
    return Problem(
        error="something went wrong here; it was logged", code="internal", request_id=request_id
    )


def encode(error: Exception, request_id: str = "") -> bytes:
    """Return *error* as JSON."""
    return msgspec.json.encode(describe(error, request_id))


def restore(problem: Problem) -> AnalyticsError:
    """Return the error that *problem* describes, of the class that it had where it was raised."""
    kind = errors.by_code(problem.code)
    if issubclass(kind, Malformed):
        field = problem.field or ""
        return kind(field, problem.error.removeprefix(f"{field}: ") if field else problem.error)
    return kind(problem.error)


def status(error: Exception) -> int:
    """Return the HTTP status with which *error* is answered."""
    return error.status if isinstance(error, AnalyticsError) else HTTPStatus.INTERNAL_SERVER_ERROR


def headers(error: Exception) -> Iterable[tuple[str, str]]:
    """Yield the headers that a response to *error* has in addition."""
    if isinstance(error, Unavailable | TooMany):
        # Rounded up, because a client that comes back a moment too early is refused again.
        yield "retry-after", str(max(1, math.ceil(error.retry_after)))
    if isinstance(error, UnsupportedCoding):
        yield "accept-encoding", "gzip, deflate"
    if isinstance(error, MethodNotAllowed) and error.allow:
        yield "allow", error.allow
