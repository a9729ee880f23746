"""The HTTP protocol of the server, with a short way for the event endpoint.

Uvicorn makes a task, a receive and a send for every request. An event needs none of them: its
body is small, and its answer waits for the journal only. Here such a request is taken when its
last byte has come, and answered when its append has ended. Everything else, pipelining and
keep-alive included, goes uvicorn's way, and the ASGI endpoint stays the definition: an answer
from here is the same, byte for byte (tests/gateway/test_direct.py).
"""

from __future__ import annotations

import http
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, cast

import structlog
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from analytics.errors import AnalyticsError, TooLarge
from analytics.event import LogRecord
from analytics.ingest import receive
from analytics.ingest.endpoint import ACCEPTED, EventEndpoint, receipt
from analytics.stream.base import Appending

log = structlog.get_logger()

PATH: Final = "/api/event"


class DirectProtocol(HttpToolsProtocol):
    """One connection. *endpoint* is set on a subclass that `protocol` makes."""

    endpoint: EventEndpoint

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if (
            app is not self.app  # uvicorn's own refusal, when there are too many connections
            or cycle.scope["path"] != PATH
            or cycle.scope["method"] != "POST"
            or cycle.waiting_for_100_continue
        ):
            super()._start_asgi_task(cycle, app)
            return
        cycle.direct = True  # type: ignore[attr-defined]
        if not cycle.more_body:  # it was queued behind another request, and is all here
            self._take(cycle)

    def on_body(self, body: bytes) -> None:
        """A piece of the request's body has come."""
        cycle = self.cycle
        if cycle is not None and hasattr(cycle, "direct") and not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > self.endpoint.max_body_bytes:
                self._refuse(cycle, TooLarge(receive.too_large(self.endpoint.max_body_bytes)))
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is here."""
        cycle = self.cycle
        if cycle is not None and hasattr(cycle, "direct") and not cycle.response_complete:
            cycle.more_body = False
            self._take(cycle)
            return
        super().on_message_complete()

    def _take(self, cycle: RequestResponseCycle) -> None:
        try:
            records, appending = self.endpoint.take(cast("Scope", cycle.scope), bytes(cycle.body))
        except AnalyticsError as error:
            self._refuse(cycle, error)
        except Exception:
            log.exception("event_failed")
            self._answer(cycle, 500, receive.INTERNAL_ERROR, receive.JSON_HEADERS)
        else:
            appending.then(partial(self._appended, cycle, records))

    def _appended(
        self, cycle: RequestResponseCycle, records: Sequence[LogRecord], appending: Appending
    ) -> None:
        if appending.error is not None:
            self._refuse(cycle, appending.error)
            return
        self.endpoint.counts.accepted += 1
        headers = receipt(records, appending.positions)
        if len(headers) == 1 and cycle.keep_alive and not cycle.disconnected:
            # By far the most answers differ in the receipt only.
            self.transport.write(_ACCEPTED % headers[0])
            self._answered(cycle)
        else:
            self._answer(cycle, 202, ACCEPTED, (*receive.TEXT_HEADERS, *headers))

    def _refuse(self, cycle: RequestResponseCycle, error: AnalyticsError) -> None:
        self.endpoint.counts.refused(error)
        headers, content = receive.refusal(error)
        self._answer(cycle, error.status, content, headers)

    def _answer(
        self,
        cycle: RequestResponseCycle,
        status: int,
        content: bytes,
        headers: Iterable[receive.Header],
    ) -> None:
        if cycle.disconnected:
            return
        close = b""
        if not cycle.keep_alive:
            close = b"connection: close\r\n"
        head = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.transport.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (_STATUS[status], head, len(content), close, content)
        )
        if close:
            self.transport.close()
        self._answered(cycle)

    def _answered(self, cycle: RequestResponseCycle) -> None:
        cycle.response_complete = True
        self.on_response_complete()


_STATUS: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in http.HTTPStatus
}


_ACCEPTED: Final = (
    _STATUS[202]
    + b"".join(b"%b: %b\r\n" % header for header in receive.TEXT_HEADERS)
    + b"%%b: %%b\r\ncontent-length: %d\r\n\r\n%b" % (len(ACCEPTED), ACCEPTED)
)


def protocol(endpoint: EventEndpoint) -> type[DirectProtocol]:
    """The protocol class to give to uvicorn."""
    members: dict[str, Any] = {"endpoint": endpoint}
    return type("DirectProtocol", (DirectProtocol,), members)
