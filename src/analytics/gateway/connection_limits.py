"""The limits of a connection: how much a sender may send, and for how long we wait for it.

Uvicorn has none for a request on its way in: headers without end fill the memory, and senders that
never finish hold their connections. The deadlines here cost a request nothing: a background loop
looks for connections that are overdue.

An offer to upgrade to another protocol is ignored, as RFC 9110 (7.8) allows: Java's HttpClient and
`curl --http2` send one with every plain request. The parser treats an offer as accepted, and the
body as the other protocol's, so it parses the request again without the offer.
"""

from __future__ import annotations

import asyncio
import http
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Literal, cast

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from analytics import problem
from analytics.background import BackgroundLoop
from analytics.errors import AnalyticsError, Invalid, TooMany, UploadsFull
from analytics.gateway.sender_connections import SenderConnections
from analytics.gateway.uploads import Upload, Uploads

MAX_HEAD_BYTES: Final = 64 * 1024
"""Maximum size of the headers, and of bytes in a row without progress: trailers, extensions."""
_LOOK_S: Final = 2.0
_Owed = Literal["head", "body", "end"]
_PATIENCE_S: Final[dict[_Owed, float]] = {"head": 20, "body": 120, "end": 30}


class _TooLarge(Exception):
    """Stops the parser."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A subclass that handles a parser's callback itself must set `barren` to 0.

    *uploads* and *senders* are set on a subclass that `protocol` makes.
    """

    uploads = Uploads()
    senders: SenderConnections | None = None
    _counted = ""
    """The sender under whom this connection is counted."""
    _upload: Upload | None = None
    barren = 0
    """Bytes received since the parser last made progress."""
    _owed: tuple[_Owed, object, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a new connection, within the number of connections that we can have."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            self.transport.abort()
        elif self.senders is not None:
            try:
                self._counted = self.senders.open(self.client[0] if self.client else "")
            except TooMany as error:
                self._refuse(error.status, error)

    def data_received(self, data: bytes) -> None:
        """Parse what was received."""
        if self.transport.is_closing():
            return  # a connection that was refused
        self.barren += len(data)
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._parsed(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self.barren > MAX_HEAD_BYTES:
            self.send_400_response("")

    def _parsed(self, data: bytes) -> bytes:
        """Parse *data*; return what is left to parse: a request without its offer of an upgrade."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.scope["method"] == "CONNECT":
                self.send_400_response("This server is not a proxy.")
                return b""
            head = self._without_offer()
            # The parser may have ended: after `Connection: close` it accepts nothing more.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            return head + data[offer.args[0] :]
        return b""

    def _without_offer(self) -> bytes:
        """Return the head of the request that has just been parsed, without `Upgrade`."""
        version = self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b" % (self.scope["method"].encode(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = (each.strip() for each in value.split(b","))
                value = b", ".join(each for each in options if each.lower() != b"upgrade")
            if name != b"upgrade":
                head.append(b"%b: %b" % (name, value))
        return b"\r\n".join(head) + b"\r\n\r\n"

    def on_headers_complete(self) -> None:
        """Begin a request, whose headers are complete."""
        if self.parser.should_upgrade():
            self.scope["method"] = self.parser.get_method().decode()
            return
        if self.barren > MAX_HEAD_BYTES:  # or a body has come with it
            head = sum(len(name) + len(value) for name, value in self.headers)
            if len(self.url) + head > MAX_HEAD_BYTES:
                raise _TooLarge  # the parser stops, and `send_400_response` is called
        self.barren = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the request's body."""
        self.barren = 0
        if self.holds(body):
            super().on_body(body)

    def holds(self, body: bytes) -> bool:
        """Count a piece of a body; return whether it may be kept."""
        if self.cycle.response_complete:
            return True  # it is not kept
        if self._upload is None:
            self._upload = self.uploads.begin(cast("Scope", self.scope))
        try:
            self._upload.grow(len(body))
        except UploadsFull as error:
            if self.pipeline or getattr(self.cycle, "response_started", False):
                self.transport.abort()  # another response has begun
            else:
                self._refuse(error.status, error)
            return False
        return True

    def on_response_complete(self) -> None:
        """Note that a response was sent; pipelined requests are counted until the last one's."""
        if not self.pipeline:
            self._end_upload()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what was counted for the connection."""
        if self.senders is not None:
            self.senders.close(self._counted)
            self._counted = ""
        self._end_upload()
        super().connection_lost(exc)

    def _end_upload(self) -> None:
        if self._upload is not None:
            self._upload.end()
            self._upload = None

    def on_message_complete(self) -> None:
        """End the request, unless the parser has to parse it again."""
        if self.parser.should_upgrade():
            return
        self.barren = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse an invalid request, in the shape of every other error."""
        if self.barren > MAX_HEAD_BYTES:
            self._end(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes")
        else:
            self._end(400, msg)

    def look(self, now: float) -> None:
        """End the connection if its sender is overdue."""
        owed, what = self._owes()
        if owed is None:
            self._owed = None
        elif self._owed is None or self._owed[0] != owed or self._owed[1] is not what:
            self._owed = (owed, what, now)
        elif now - self._owed[2] > _PATIENCE_S[owed]:
            if owed == "end":
                self.transport.abort()
            else:
                self._end(408, f"the {owed} of the request took too long to arrive")

    def _owes(self) -> tuple[_Owed | None, object]:
        """Return what we wait for, and of which request."""
        cycle = self.cycle
        if self.transport.is_closing():
            return "end", None  # it does not read our response
        if cycle is None or cycle.response_complete:
            # Between two requests uvicorn's own timer runs, until something comes.
            return (None if self.timeout_keep_alive_task is not None else "head"), cycle
        return ("body" if cycle.more_body else None), cycle

    def _end(self, status: int, fault: str) -> None:
        self._refuse(status, Invalid(fault))

    def _refuse(self, status: int, error: AnalyticsError) -> None:
        if self.transport.is_closing():
            return
        content = problem.encode(error)
        more = "".join(f"{name}: {value}\r\n" for name, value in problem.headers(error))
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b"
            b"connection: close\r\n\r\n%b"
            % (
                status,
                http.HTTPStatus(status).phrase.encode(),
                len(content),
                more.encode(),
                content,
            )
        )
        self.transport.close()


def protocol(uploads: Uploads, senders: SenderConnections | None = None) -> type[BoundedProtocol]:
    """Return the protocol class for uvicorn; without *senders* connections are not counted."""
    members = {"uploads": uploads, "senders": senders}
    return type("BoundedProtocol", (BoundedProtocol,), members)


def watching(connections: Callable[[], Iterable[object]]) -> BackgroundLoop:
    """Return the loop that checks all *connections* while its block runs."""
    return BackgroundLoop(
        "connections",
        partial(_look_at, connections),
        every_s=_LOOK_S,
        meanwhile="Senders that never finish a request are not disconnected.",
        first_after_s=_LOOK_S,
        longest_pause_s=_LOOK_S,
    )


async def _look_at(connections: Callable[[], Iterable[object]]) -> None:
    now = asyncio.get_running_loop().time()
    for connection in [*connections()]:
        if isinstance(connection, BoundedProtocol):
            connection.look(now)
