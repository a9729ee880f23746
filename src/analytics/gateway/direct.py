"""The HTTP protocol of the server, with a short way for the event endpoint.

Uvicorn makes a task, a receive and a send for every request. An event needs none of them: its
body is small, and its answer waits for the journal only. Here such a request is taken when its
last byte has come, and answered when its append has ended. Everything else, pipelining and
keep-alive included, goes uvicorn's way, and the ASGI endpoint stays the definition: an answer
from here is the same, byte for byte (tests/gateway/test_direct.py).
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, cast

import structlog
from starlette.types import Scope

from analytics import problem, request_id
from analytics.catalog.base import SaltMissing
from analytics.errors import AnalyticsError, TooLarge
from analytics.event import LogRecord
from analytics.gateway.connection_limits import MAX_HEAD_BYTES, BoundedProtocol
from analytics.gateway.sender_connections import SenderConnections
from analytics.gateway.uploads import Uploads
from analytics.ingest import asgi
from analytics.ingest.endpoint import IngestEndpoint
from analytics.ingest.wire.base import receipt
from analytics.ingest.wire.formats import EVENT_PATH
from analytics.ingest.wire.plausible import ACCEPTED
from analytics.stream.base import Appending

log = structlog.get_logger()

PATH: Final = EVENT_PATH
_PATH: Final = PATH.encode()


class _NullEvent:
    """Null object for the event that wakes uvicorn's task: there is no task."""

    def set(self) -> None:
        """Do nothing."""


class RequestCycle:
    """An event's request and its answer, in the place of uvicorn's cycle."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "response_complete", "scope")

    message_event = _NullEvent()

    def __init__(self, scope: Scope, *, keep_alive: bool) -> None:
        self.scope = scope
        self.body = b""
        self.keep_alive = keep_alive
        self.disconnected = False
        self.more_body = True
        self.response_complete = False


class DirectProtocol(BoundedProtocol):
    """One connection. *endpoint* is set on a subclass that `protocol` makes."""

    endpoint: IngestEndpoint
    cycle: Any  # uvicorn's, an Exchange, or None

    def on_headers_complete(self) -> None:
        """Begin a request, whose headers are complete, on one of the two ways."""
        if self.url != _PATH or not self._can_be_direct():
            super().on_headers_complete()
            return
        self.barren = 0
        self.cycle = RequestCycle(
            cast("Scope", self.scope), keep_alive=self.parser.should_keep_alive()
        )

    def _can_be_direct(self) -> bool:
        """Return whether the request needs no more than a body and a response."""
        return (
            self.parser.get_method() == b"POST"
            and not self.expect_100_continue
            and (self.cycle is None or self.cycle.response_complete)  # else it waits its turn
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
            and self.barren <= MAX_HEAD_BYTES  # else its headers have to be counted
            and (self.limit_concurrency is None or len(self.connections) < self.limit_concurrency)
        )

    def on_body(self, body: bytes) -> None:
        """Take a piece of the request's body."""
        cycle = self.cycle
        if type(cycle) is not RequestCycle:
            super().on_body(body)
            return
        self.barren = 0
        if not cycle.response_complete and self.holds(body):
            cycle.body += body
            if len(cycle.body) > self.endpoint.max_body_bytes:
                self._refuse_event(cycle, TooLarge(asgi.too_large(self.endpoint.max_body_bytes)))

    def on_message_complete(self) -> None:
        """End the request: take the event if it goes the short way."""
        cycle = self.cycle
        if type(cycle) is not RequestCycle or self.parser.should_upgrade():
            super().on_message_complete()
            return
        self.barren = 0
        cycle.more_body = False
        if not cycle.response_complete:
            self._take(cycle)

    def _take(self, cycle: RequestCycle, *, again: bool = False) -> None:
        try:
            records, appending = self.endpoint.take(cycle.scope, cycle.body)
        except SaltMissing as missing:
            if again:
                self._refuse_event(cycle, missing)
            else:
                self._take_with_salt(cycle, missing)
        except AnalyticsError as error:
            self._refuse_event(cycle, error)
        except Exception as error:
            log.exception("event_failed", request_id=request_id.of(cycle.scope).decode())
            content = problem.encode(error, request_id.of(cycle.scope).decode())
            self._answer(cycle, problem.status(error), content, asgi.JSON_HEADERS)
        else:
            appending.then(partial(self._appended, cycle, records))

    def _take_with_salt(self, cycle: RequestCycle, missing: SaltMissing) -> None:
        """Take an event whose day has no salt yet, such as one of long ago."""

        def made(making: asyncio.Task[None]) -> None:
            self.tasks.discard(making)
            error = missing if making.cancelled() else making.exception()
            if error is None:
                self._take(cycle, again=True)
            elif isinstance(error, AnalyticsError):
                self._refuse_event(cycle, error)
            else:
                log.error("salt_not_made", exc_info=error)
                self._refuse_event(cycle, missing)

        making = self.loop.create_task(self.endpoint.make_salt(missing))
        self.tasks.add(making)  # a server that stops waits for these
        making.add_done_callback(made)

    def _appended(
        self, cycle: RequestCycle, records: Sequence[LogRecord], appending: Appending
    ) -> None:
        if appending.error is not None:
            self._refuse_event(cycle, appending.error)
            return
        self.endpoint.counts.accepted += 1
        headers = receipt(records, appending.positions)
        if len(headers) == 1 and cycle.keep_alive and not cycle.disconnected:
            # Nearly all responses differ in the receipt and the id only.
            self.transport.write(_ACCEPTED % (*headers[0], request_id.of(cycle.scope)))
            self._answered(cycle)
        else:
            self._answer(cycle, 202, ACCEPTED, (*asgi.TEXT_HEADERS, *headers))

    def _refuse_event(self, cycle: RequestCycle, error: AnalyticsError) -> None:
        self.endpoint.counts.refused(error)
        headers, content = asgi.refusal(cycle.scope, error)
        self._answer(cycle, error.status, content, headers)

    def _answer(
        self,
        cycle: RequestCycle,
        status: int,
        content: bytes,
        headers: Iterable[asgi.Header],
    ) -> None:
        if cycle.disconnected:
            return
        close = b""
        if not cycle.keep_alive:
            close = b"connection: close\r\n"
        head = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.transport.write(
            b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b"
            % (_STATUS[status], head, request_id.of(cycle.scope), len(content), close, content)
        )
        if close:
            self.transport.close()
        self._answered(cycle)

    def _answered(self, cycle: RequestCycle) -> None:
        cycle.response_complete = True
        self.on_response_complete()


_STATUS: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in http.HTTPStatus
}


_ACCEPTED: Final = (
    _STATUS[202]
    + b"".join(b"%b: %b\r\n" % header for header in asgi.TEXT_HEADERS)
    + b"%%b: %%b\r\nx-request-id: %%b\r\ncontent-length: %d\r\n\r\n%b" % (len(ACCEPTED), ACCEPTED)
)


def protocol(
    endpoint: IngestEndpoint,
    uploads: Uploads | None = None,
    senders: SenderConnections | None = None,
) -> type[DirectProtocol]:
    """Return the protocol class for uvicorn."""
    members: dict[str, Any] = {
        "endpoint": endpoint,
        "uploads": uploads or Uploads(),
        "senders": senders,
    }
    return type("DirectProtocol", (DirectProtocol,), members)
