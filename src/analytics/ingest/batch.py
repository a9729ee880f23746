"""`POST /api/events`: many events in one request, each with an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from analytics import problem
from analytics.errors import AnalyticsError, Invalid, Malformed
from analytics.event import Drop, LogRecord
from analytics.ingest import encoding, surrogates
from analytics.ingest import receive as http
from analytics.ingest.client import Client
from analytics.ingest.intake import Intake
from analytics.ingest.wire import plausible
from analytics.person import Key
from analytics.stream.base import Appending

_MAX_ITEMS: Final = 20_000
_APPEND: Final = 500
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])

Item = dict[str, object]


class BatchEndpoint:
    """The ASGI application behind `/api/events`."""

    method: Final = "POST"

    def __init__(self, intake: Intake, *, max_body_bytes: int) -> None:
        self._intake = intake
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept a batch; one bad item refuses only itself."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] != "POST":
            return await http.refuse(scope, send, http.wrong_method(self.method))
        try:
            client = self._intake.client(scope)
            body = await http.body(receive, self._max_body_bytes)
            items = split(encoding.plain(scope, body, self._max_body_bytes))
            key = self._intake.key(client)
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
                sent = plausible.decode(bytes(raw))
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


def split(body: bytes) -> Sequence[msgspec.Raw]:
    """The items of a JSON array, or of lines of JSON. Raises `Malformed`."""
    text = body.strip()
    if text.startswith(b"["):
        try:
            items = surrogates.decode(_array, text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Malformed("", f"the body is no JSON array of events: {exc}") from None
    else:
        items = [msgspec.Raw(line) for line in text.splitlines() if line.strip()]
        if items and not any(bytes(item).lstrip().startswith(b"{") for item in items):
            raise Malformed("", "the body holds no JSON object; send an array of events, or lines")
    if not items:
        raise Malformed("", "the body holds no event")
    if len(items) > _MAX_ITEMS:
        raise Malformed("", f"the body holds more than {_MAX_ITEMS} events; send fewer at once")
    return items
