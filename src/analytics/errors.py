"""Every error that this project raises on purpose.

AnalyticsError
├── Invalid              the caller's fault: answer 4xx, never retry as it stands
│   ├── Malformed        a field of the request is wrong (400); `field` names it
│   ├── Unauthenticated  nobody known asks (401)
│   ├── Forbidden        somebody known asks for what is not theirs (403)
│   ├── NotFound         the thing named does not exist (404)
│   ├── MethodNotAllowed the path exists, and not for this method (405)
│   ├── Conflict         the thing exists already, or something else holds it (409)
│   ├── TooLarge         more bytes than we accept (413)
│   ├── ReaderLeft       the caller went away before the answer was begun (499)
│   ├── UnsupportedCoding a body in a content coding that is not known here (415)
│   └── TooMany          over a rate limit (429); `retry_after` says when to try again
├── Unavailable          a dependency's fault: shed load, retry later (503)
│   ├── LogUnavailable   the event log did not confirm an append
│   ├── StoreUnavailable the series store cannot answer or take rows now
│   │   ├── QueryTooLong a question took longer than it may, and was given up
│   │   ├── Busy         a question waited for its turn as long as it may
│   │   ├── CircuitOpen  a backend that failed too often is left alone for a moment
│   │   └── BulkheadFull so many calls of a backend are under way that one more is too many
│   ├── UploadsFull      as much of unfinished requests is held as may be
│   ├── RegistryUnavailable  the list of replicas cannot be read or changed now
│   ├── FolderInUse      another process owns the data folder
│   └── NotVisibleYet    a receipt is not readable yet
├── Misconfigured        the operator's fault: a setting, a folder, a port; nothing started
└── Corrupt              stored bytes do not match their checksum: stop, and tell the operator
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar, Final

import msgspec


class AnalyticsError(Exception):
    """Base of every deliberate failure; its text is written for a person to read."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500


class Invalid(AnalyticsError):
    """The request cannot be accepted as it stands."""

    code = "invalid"
    status = 400


class Malformed(Invalid):
    """A field is wrong; *field* is its name as the caller sent it ("" for the whole body)."""

    code = "malformed"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class Unauthenticated(Invalid):
    """No valid credentials came with the request."""

    code = "unauthenticated"
    status = 401


class Forbidden(Invalid):
    """The credentials are valid but do not reach this far."""

    code = "forbidden"
    status = 403


class NotFound(Invalid):
    """The thing named does not exist."""

    code = "not_found"
    status = 404


class MethodNotAllowed(Invalid):
    """The path answers another method; *allow* lists them, by commas."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, message: str, *, allow: str = "") -> None:
        super().__init__(message)
        self.allow = allow


class Conflict(Invalid):
    """The thing exists already, or something else holds it."""

    code = "conflict"
    status = 409


class TooLarge(Invalid):
    """The body is larger than we read."""

    code = "too_large"
    status = 413


class ReaderLeft(Invalid):
    """The caller went away while the question waited; nobody reads this answer."""

    code = "reader_left"
    status = 499


class UnsupportedCoding(Invalid):
    """The body is in a content coding that is not known here."""

    code = "unsupported_coding"
    status = 415


class TooMany(Invalid):
    """A rate limit was passed; `retry_after` is in seconds."""

    code = "too_many"
    status = 429

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(AnalyticsError):
    """A dependency cannot serve us now; `retry_after` seconds is our best guess."""

    code = "unavailable"
    status = 503

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LogUnavailable(Unavailable):
    """The event log did not confirm an append; the caller may retry with the same ids."""

    code = "log_unavailable"


class StoreUnavailable(Unavailable):
    """The series store cannot answer or take rows now."""

    code = "store_unavailable"


class QueryTooLong(StoreUnavailable):
    """A question took longer than it may, and was given up."""

    code = "query_too_long"


class Busy(StoreUnavailable):
    """A question waited for its turn as long as it may, and was not begun."""

    code = "busy"


class CircuitOpen(StoreUnavailable):
    """A backend failed too often, or was too slow, and is left alone for `retry_after` seconds."""

    code = "circuit_open"


class BulkheadFull(StoreUnavailable):
    """As many calls of a backend as may be are under way."""

    code = "bulkhead_full"


class UploadsFull(Unavailable):
    """As much of unfinished requests is held as may be: altogether, or of their sender."""

    code = "uploads_full"


class RegistryUnavailable(Unavailable):
    """The list of replicas cannot be read or changed now."""

    code = "registry_unavailable"


class FolderInUse(Unavailable):
    """Another process owns the data folder now."""

    code = "folder_in_use"


class NotVisibleYet(Unavailable):
    """A receipt's event is durable but not in the figures yet."""

    code = "not_visible_yet"


class Misconfigured(AnalyticsError):
    """A setting, a folder or a port is wrong; the message says what to change."""

    code = "misconfigured"


class Corrupt(AnalyticsError):
    """Stored bytes do not match their checksum."""

    code = "corrupt"


def kinds() -> Iterator[type[AnalyticsError]]:
    """Yield every class of error, each after the one that it derives from."""
    classes = deque([AnalyticsError])
    while classes:
        kind = classes.popleft()
        yield kind
        classes += kind.__subclasses__()


def by_code(code: str) -> type[AnalyticsError]:
    """Return the class whose `code` this is; `AnalyticsError` when this version knows none.

    A class may share the code of the one that it derives from, and then stands for the same.
    """
    return next((kind for kind in kinds() if kind.code == code), AnalyticsError)


UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot decode: not its own errors alone."""
