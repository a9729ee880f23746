"""The endpoint behind every path that receives events, whatever the wire format.

This is the hot path, a bare ASGI application. `take` is its part before the wait for the log, and
`gateway/direct.py` calls it itself, because it can do without a task for each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain, islice
from typing import Final

from starlette.types import Receive, Scope, Send

from analytics.catalog.base import SaltMissing
from analytics.errors import AnalyticsError, Invalid, TooLarge
from analytics.event import LogRecord
from analytics.ingest import asgi as http
from analytics.ingest import encoding
from analytics.ingest.client import Client
from analytics.ingest.context import IngestContext
from analytics.ingest.wire.base import DecodedEvents, Outcome, RawEvent, WireFormat
from analytics.person import Key
from analytics.person import Scope as Right
from analytics.stream.base import Appending

_APPEND: Final = 500
"""Records of a batch that are appended at once, before other requests run."""


class IngestEndpoint:
    """The ASGI application behind one path, which speaks one wire format."""

    charges: Final = True

    def __init__(self, context: IngestContext, wire_format: WireFormat) -> None:
        self._context = context
        self._format = wire_format
        self._methods = wire_format.methods
        self._decode = wire_format.decode
        self._takes_key = wire_format.takes_key
        self._has_body = "GET" not in wire_format.methods
        self.method = wire_format.methods[0]
        self.operation = wire_format.operation
        self.counts = context.counts
        self.max_body_bytes = wire_format.limits.event_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept the events of one request, and answer when they are durable."""
        method = scope["method"]
        if method == "OPTIONS":
            return await http.preflight(scope, send)
        if method not in self._methods:
            return await http.refuse(scope, send, http.wrong_method(", ".join(self._methods)))
        if method == "HEAD":
            return await http.answer(send, *self._format.reply(()))
        try:
            accept = self._accept_each if self._format.batched else self._accept
            outcomes = await accept(scope, receive)
        except AnalyticsError as error:
            self.counts.refused(error)
            return await http.refuse(scope, send, error)
        self.counts.accepted += sum(outcome.refusal is None for outcome in outcomes)
        return await http.answer(send, *self._format.reply(outcomes))

    def take(self, scope: Scope, body: bytes) -> tuple[Sequence[LogRecord], Appending]:
        """Decode the events of *body* and begin to append their records.

        Raises `Invalid` for what is refused, and `SaltMissing`, after which `make_salt` may help.
        """
        client = self._context.client(scope)
        plain = encoding.plain(scope, body, self.max_body_bytes) if self._has_body else body
        events = self._decode(scope, plain)
        key = self._context.key(client) if client.authorization and self._takes_key else None
        enricher = self._context.enricher
        sites = 0
        decoded: list[RawEvent] = []
        for event in events:
            if isinstance(event, Invalid):
                raise event
            sites += len(event.domains)
            decoded.append(event)
        self._context.charge(client, None, sites, len(plain))
        records: list[LogRecord] = []
        for event in decoded:
            records += enricher.accept(event, client, key)
        return records, self._context.log.append(records)

    async def make_salt(self, missing: SaltMissing) -> None:
        """Make the salt for which `take` failed. Raises `StoreUnavailable`."""
        await self._context.enricher.make_salt(missing)

    async def _accept(self, scope: Scope, receive: Receive) -> Sequence[Outcome]:
        """Accept all events of the request, or none. Raises `Invalid`, `Unavailable`."""
        body: bytes = scope["query_string"]
        if self._has_body:
            body = await http.body(receive, self.max_body_bytes)
        try:
            records, appending = self.take(scope, body)
        except SaltMissing as missing:
            await self.make_salt(missing)
            records, appending = self.take(scope, body)
        return (Outcome(records, await appending),)

    async def _accept_each(self, scope: Scope, receive: Receive) -> Sequence[Outcome]:
        """Accept or refuse each event of the request by itself. Raises `Invalid`, `Unavailable`.

        The key is checked before the body is read, because it decides how much is read.
        """
        client = self._context.client(scope)
        key = self._context.key(client)
        writer = key if key is not None and Right.EVENTS_WRITE in key.scopes else None
        limits = self._format.limits
        max_bytes, max_events = limits.body_bytes, limits.events
        if writer is None:
            max_bytes, max_events = limits.open_body_bytes, limits.open_events
        plain = encoding.plain(scope, await http.body(receive, max_bytes), max_bytes)
        events = self._format.decode(scope, plain)
        if len(events) > max_events:
            raise TooLarge(
                f"the body holds more than {max_events:,} events; send at most {max_events:,} at"
                + (" once" if writer else " once, or more with a key of the scope events:write")
            )
        self._context.charge(client, writer, len(events), len(plain))
        return await self._outcomes(events, client, key)

    async def _outcomes(
        self, events: DecodedEvents, client: Client, key: Key | None
    ) -> list[Outcome]:
        """Return the outcome of each event, when all accepted ones are durable.

        Raises `LogUnavailable` when some could not be made durable. The sender repeats the whole
        batch then, and the ids of the events that were kept show them to be duplicates.
        """
        outcomes: list[Outcome] = []
        appends: list[Appending] = []
        pending: list[LogRecord] = []
        for event in events:
            try:
                outcome = Outcome(await self._records(event, client, key))
            except Invalid as error:
                self.counts.refused(error)
                outcome = Outcome(refusal=error)
            outcomes.append(outcome)
            pending.extend(outcome.records)
            if len(pending) >= _APPEND:
                appends.append(self._context.log.append(pending))
                pending = []
                await asyncio.sleep(0)  # let other requests run
        if pending:
            appends.append(self._context.log.append(pending))
        positions = chain.from_iterable(await asyncio.gather(*appends))
        return [
            outcome._replace(positions=tuple(islice(positions, len(outcome.records))))
            for outcome in outcomes
        ]

    async def _records(
        self, event: RawEvent | Invalid, client: Client, key: Key | None
    ) -> Sequence[LogRecord]:
        if isinstance(event, Invalid):
            raise event
        if key is None:
            # The request was charged one event for each item; each further site is one more.
            self._context.charge(client, None, len(event.domains), 0)
        return await self._context.enricher.accept_any_day(event, client, key)
