"""`POST /api/events`: many events in one request, each with an answer of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from analytics import bounds, decoding, problem
from analytics.errors import UNDECODABLE, AnalyticsError, Invalid, Malformed, TooLarge
from analytics.event import Drop, LogRecord
from analytics.ingest import asgi as http
from analytics.ingest import encoding, surrogates
from analytics.ingest.client import Client
from analytics.ingest.context import IngestContext
from analytics.ingest.wire import plausible
from analytics.ingest.wire.base import RawEvent
from analytics.person import Key
from analytics.person import Scope as Right
from analytics.stream.base import Appending

_APPEND: Final = 500
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ends: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Only finds where an object ends; what it holds is msgspec's to read."""
_JOINED: Final = re.compile(rb"\}\s*\{")
_SPACE: Final = re.compile(r"\s*")
_FORMS: Final = "send a list of events, or one event a line (curl: --data-binary @file)"

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

    def __init__(self, intake: IngestContext, limits: BatchLimits) -> None:
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
                    f"the body holds more than {events:,} events; send at most {events:,} at once"
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

    def _sent(self, item: bytes, client: Client, key: Key | None) -> RawEvent:
        """The event that *item* is. Raises `TooLarge`, `Malformed`, `TooMany`."""
        if len(item) > self._limits.event_bytes:
            raise TooLarge(f"an event has at most {self._limits.event_bytes:,} bytes")
        sent = plausible.decode(item)
        if key is None:
            self._intake.charge(client, None, len(sent.domains), 0)  # each site is an event more
        return sent


def split(body: bytes) -> Sequence[msgspec.Raw]:
    """The items of a JSON array, or of objects one after another. Raises `Malformed`.

    An object a line is the usual form, in which a bad line spoils no other. Objects over several
    lines, as pretty printers write them, or on one line, as `curl -d @file` joins them, are taken
    too, if all of them are JSON.
    """
    text = body.strip()
    if not text:
        raise Malformed("", f"the body is empty; {_FORMS}")
    if text.startswith(b"["):
        try:
            items = surrogates.decode(_array, text)
        except UNDECODABLE as exc:
            raise Malformed("", f"{decoding.malformed(exc).reason}; {_FORMS}") from None
        if not items:
            raise Malformed("", f"the list is empty; {_FORMS}")
        return items
    lines = [line for line in map(bytes.strip, text.splitlines()) if line]
    whole = [line.startswith(b"{") and line.endswith(b"}") for line in lines]
    if not all(whole) or any(_JOINED.search(line) for line in lines):
        try:
            return _objects(text)
        except (ValueError, RecursionError) as exc:
            if not any(whole):
                raise Malformed("", f"{_why(exc)}; {_FORMS}") from None
    return [msgspec.Raw(line) for line in lines]


def _objects(text: bytes) -> list[msgspec.Raw]:
    """The JSON objects of *text*, whatever space is between them.

    Raises `ValueError` and `RecursionError` when it has anything else.
    """
    rest, items = text.decode(), list[msgspec.Raw]()
    start = 0
    while start < len(rest) and len(items) <= bounds.BATCH_EVENTS:
        if rest[start] != "{":
            raise ValueError
        _, end = _ends.raw_decode(rest, start)
        items.append(msgspec.Raw(rest[start:end].encode()))
        start = _SPACE.match(rest, end).end()  # type: ignore[union-attr]  # it matches nothing too
    return items


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    if isinstance(error, RecursionError | UnicodeDecodeError):
        return decoding.malformed(error).reason
    return "the body is not JSON objects"
