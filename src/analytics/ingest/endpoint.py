"""`POST /api/event`: one event in, an answer when it is durable.

This is the hot path, a bare ASGI application. `take` and `receipt` are its halves before and after
the wait: a server that can do without a task for each request calls them itself (gateway/direct).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.types import Receive, Scope, Send

from analytics.catalog.base import SaltMissing
from analytics.errors import AnalyticsError
from analytics.event import Drop, Hit, LogRecord
from analytics.ingest import asgi as http
from analytics.ingest import encoding
from analytics.ingest.context import IngestContext
from analytics.ingest.wire import plausible
from analytics.stream.base import Appending, Position

ACCEPTED: Final = b"ok"


class EventEndpoint:
    """The ASGI application behind `/api/event`."""

    method: Final = "POST"
    charges: Final = True

    def __init__(self, intake: IngestContext, *, max_body_bytes: int) -> None:
        self._intake = intake
        self.counts = intake.counts
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept one event."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] != "POST":
            return await http.refuse(scope, send, http.wrong_method(self.method))
        try:
            body = await http.body(receive, self.max_body_bytes)
            try:
                records, appending = self.take(scope, body)
            except SaltMissing as missing:
                await self.make_salt(missing)
                records, appending = self.take(scope, body)
            positions = await appending
        except AnalyticsError as error:
            self.counts.refused(error)
            return await http.refuse(scope, send, error)
        self.counts.accepted += 1
        return await http.text(send, 202, ACCEPTED, receipt(records, positions))

    def take(self, scope: Scope, body: bytes) -> tuple[Sequence[LogRecord], Appending]:
        """Understand the event and begin to append it. Raises what the sender is to be told.

        After `SaltMissing`, `make_salt` may help.
        """
        client = self._intake.client(scope)
        plain = encoding.plain(scope, body, self.max_body_bytes)
        sent = plausible.decode(plain)
        key = self._intake.key(client) if client.authorization else None
        self._intake.charge(client, None, len(sent.domains), len(plain))
        records = self._intake.acceptance.accept(sent, client, key)
        return records, self._intake.log.append(records)

    async def make_salt(self, missing: SaltMissing) -> None:
        """Make the salt for want of which `take` failed. Raises `StoreUnavailable`."""
        await self._intake.acceptance.make_salt(missing)


def receipt(records: Sequence[LogRecord], positions: Sequence[Position]) -> list[http.Header]:
    """The headers that say where the records lie, and which of them were left out."""
    if len(records) == 1 and type(records[0]) is Hit:
        return [(b"x-analytics-receipt", b"%d-%d" % positions[0])]
    return [
        (b"x-analytics-receipt", ",".join(map(str, positions)).encode()),
        *(
            header
            for record in records
            if isinstance(record, Drop)
            for header in (
                (b"x-analytics-dropped", record.reason.encode()),
                (b"x-plausible-dropped", b"1"),  # which Plausible's clients look for
            )
        ),
    ]
