"""`POST /api/events`: many events in one request, each with an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from analytics import bounds, problem
from analytics.errors import UNDECODABLE, AnalyticsError, Invalid, Malformed, TooLarge
from analytics.event import Drop, LogRecord
from analytics.ingest import encoding, surrogates
from analytics.ingest import receive as http
from analytics.ingest.client import Client
from analytics.ingest.intake import Intake
from analytics.ingest.wire import plausible
from analytics.ingest.wire.sent import Sent
from analytics.person import Key
from analytics.person import Scope as Right
from analytics.stream.base import Appending

_APPEND: Final = 500
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])

Item = dict[str, object]


class BatchLimits(NamedTuple):
    """How much one request may hold; of a sender without a key, less."""

    event_bytes: int
    body_bytes: int
    open_body_bytes: int
    events: int = bounds.BATCH_EVENTS
    open_events: int = bounds.OPEN_BATCH_EVENTS


class BatchEndpoint:
    """The ASGI application behind `/api/events`."""

    method: Final = "POST"
    charges: Final = True

    def __init__(self, intake: Intake, limits: BatchLimits) -> None:
        self._intake = intake
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a batch; one bad item refuses only itself."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] != "POST":
            return await http.refuse(scope, send, http.wrong_method(self.method))
        try:
            client = self._intake.client(scope)
            key = self._intake.key(client)
            writer = key if key is not None and Right.EVENTS_WRITE in key.scopes else None
            size, events = self._limits.body_bytes, self._limits.events
            if writer is None:
                size, events = self._limits.open_body_bytes, self._limits.open_events
            plain = encoding.plain(scope, await http.body(receive, size), size)
            items = split(plain)
            if len(items) > events:
                raise TooLarge(
                    f"the body holds {len(items):,} events; send at most {events:,} at once"
                    + ("" if writer else ", or more with a key of the scope events:write")
                )
            self._intake.charge(client, writer, len(items), len(plain))
            results = await self._results(items, client, key)
        except AnalyticsError as error:
            self._intake.counts.refused(error)
            return await http.refuse(scope, send, error)
        accepted = sum(item["status"] == 202 for item in results)
        self._intake.counts.accepted += accepted
        reply = {"accepted": accepted, "refused": len(results) - accepted, "results": results}
        return await http.json(send, 200, reply)

    async def _results(
        self, items: Sequence[msgspec.Raw], client: Client, key: Key | None
    ) -> list[Item]:
        """Raises `LogUnavailable` when some of the batch could not be made durable: send it all
        again, and what was kept the first time is known by its ids."""
        results: list[Item] = []
        appends: list[Appending] = []
        pending: list[LogRecord] = []
        waiting: list[tuple[Item, int]] = []  # who is told of how many of the pending records
        told: list[tuple[Item, int]] = []
        for raw in items:
            try:
                sent = self._sent(bytes(raw), client, key)
                records = await self._intake.acceptance.accept_any_day(sent, client, key)
            except Invalid as error:
                self._intake.counts.refused(error)
                refusal = msgspec.to_builtins(problem.describe(error))
                results.append({"status": error.status, **refusal})
                continue
            item: Item = {"status": 202}
            dropped = [record.reason.value for record in records if isinstance(record, Drop)]
            if dropped:
                item["dropped"] = ",".join(dropped)
            results.append(item)
            pending.extend(records)
            waiting.append((item, len(records)))
            if len(pending) >= _APPEND:
                appends.append(self._intake.log.append(pending))
                told.extend(waiting)
                pending, waiting = [], []
                await asyncio.sleep(0)  # others have waited long enough for their turn
        if pending:
            appends.append(self._intake.log.append(pending))
            told.extend(waiting)
        positions = [str(place) for places in await asyncio.gather(*appends) for place in places]
        at = 0
        for item, count in told:
            item["receipt"] = ",".join(positions[at : at + count])
            at += count
        return results

    def _sent(self, item: bytes, client: Client, key: Key | None) -> Sent:
        """The event that *item* is. Raises `TooLarge`, `Malformed`, `TooMany`."""
        if len(item) > self._limits.event_bytes:
            raise TooLarge(f"an event has at most {self._limits.event_bytes:,} bytes")
        sent = plausible.decode(item)
        if key is None:
            self._intake.charge(client, None, len(sent.domains), 0)  # each site is an event more
        return sent


def split(body: bytes) -> Sequence[msgspec.Raw]:
    """The items of a JSON array, or of lines of JSON. Raises `Malformed`."""
    text = body.strip()
    if text.startswith(b"["):
        try:
            items = surrogates.decode(_array, text)
        except UNDECODABLE as exc:
            raise Malformed("", f"the body is no JSON array of events: {exc}") from None
    else:
        items = [msgspec.Raw(line) for line in text.splitlines() if line.strip()]
        if items and not any(bytes(item).lstrip().startswith(b"{") for item in items):
            raise Malformed("", "the body holds no JSON object; send an array of events, or lines")
    if not items:
        raise Malformed("", "the body holds no event")
    return items
