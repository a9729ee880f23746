"""The wire format of `POST /api/events`: many JSON events, each with an outcome of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Final, NotRequired, TypedDict

import msgspec
from starlette.types import Scope

from analytics import bounds, decoding, problem
from analytics.api_operation import JSON, ApiAnswer, ApiOperation
from analytics.errors import UNDECODABLE, Invalid, Malformed, TooLarge
from analytics.event import Drop
from analytics.ingest import asgi as http
from analytics.ingest import surrogates
from analytics.ingest.wire import plausible
from analytics.ingest.wire.base import DecodedEvents, Outcome, RawEvent, Reply, RequestLimits
from analytics.person import Scope as Right

_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ends: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Only finds where an object ends; msgspec decodes the object."""
_JOINED: Final = re.compile(rb"\}\s*\{")
_SPACE: Final = re.compile(r"\s*")
_FORMS: Final = "send a list of events, or one event a line (curl: --data-binary @file)"


class EventOutcome(TypedDict):
    """What became of one event of a batch: its receipt, or the members of a `Problem`."""

    status: int
    receipt: NotRequired[str]
    dropped: NotRequired[str]
    error: NotRequired[str]
    code: NotRequired[str]
    field: NotRequired[str]


class BatchReply(TypedDict):
    """What became of a batch."""

    accepted: int
    refused: int
    results: list[EventOutcome]


EventLines = Annotated[str, msgspec.Meta(description="One event in JSON on each line.")]


class EventList:
    """A list of Plausible events, or one event a line; answered with the outcome of each."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)
    takes_key: ClassVar[bool] = True
    batched: ClassVar[bool] = True
    operation: ClassVar[ApiOperation] = ApiOperation(
        summary="Record many events",
        group="Events",
        body={JSON: list[plausible.EventBody], "application/x-ndjson": EventLines},
        answers=(ApiAnswer("The outcome of each event.", {JSON: BatchReply}),),
        errors=plausible.EVENT_ERRORS,
        scope=Right.EVENTS_WRITE,
        key_optional=True,
    )

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits

    def decode(self, _: Scope, body: bytes) -> DecodedEvents:
        """Return the events of *body*. Raises `Malformed` when it cannot be split into events."""
        return _Events(split(body), self.limits.event_bytes)

    def reply(self, outcomes: Sequence[Outcome]) -> Reply:
        """Return how many events were accepted and refused, and in `results` what became of each.

        A result has `status`, then `receipt` and perhaps `dropped`, or the members of a problem.
        """
        results = [_result(outcome) for outcome in outcomes]
        refused = sum(outcome.refusal is not None for outcome in outcomes)
        summary: BatchReply = {
            "accepted": len(results) - refused,
            "refused": refused,
            "results": results,
        }
        return Reply(200, msgspec.json.encode(summary), http.JSON_HEADERS)


class _Events:
    """Decodes each event when it is reached, so that other requests get their turn in between."""

    def __init__(self, items: Sequence[msgspec.Raw], max_event_bytes: int) -> None:
        self._items = items
        self._max_event_bytes = max_event_bytes

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[RawEvent | Invalid]:
        for item in self._items:
            try:
                yield self._decoded(bytes(item))
            except Invalid as error:
                yield error

    def _decoded(self, item: bytes) -> RawEvent:
        if len(item) > self._max_event_bytes:
            raise TooLarge(f"an event has at most {self._max_event_bytes:,} bytes")
        return plausible.decode(item)


def _result(outcome: Outcome) -> EventOutcome:
    if outcome.refusal is not None:
        refused: EventOutcome = msgspec.to_builtins(problem.describe(outcome.refusal))
        return {**refused, "status": outcome.refusal.status}
    result: EventOutcome = {"status": 202}
    dropped = [str(record.reason) for record in outcome.records if isinstance(record, Drop)]
    if dropped:
        result["dropped"] = ",".join(dropped)
    result["receipt"] = ",".join(map(str, outcome.positions))
    return result


def split(body: bytes) -> Sequence[msgspec.Raw]:
    """Return the items of a JSON array, or objects written one after another. Raises `Malformed`.

    One object a line is the usual form, in which a bad line does not affect the others. Objects
    over several lines, as pretty printers write them, or several on one line, as `curl -d @file`
    joins them, are accepted too, if all of them are JSON.
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
    """Return the JSON objects of *text*, which any white space may separate.

    Raises `ValueError` or `RecursionError` when *text* has anything else.
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
