"""A question that a replica hands on: to whoever can read the rows that the replica let go."""

from __future__ import annotations

from typing import Final

import msgspec

from analytics.errors import UNDECODABLE, Malformed
from analytics.query import Query, Result


class RemoteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query, and which rows it is about."""

    query: Query
    ends: dict[int, int]
    """For each partition of the log, the offset behind the records that count."""
    kept_since: int
    """What retention has deleted: the rows of days that ended by then (UTC ms)."""


_encoder: Final = msgspec.msgpack.Encoder()
_questions: Final = msgspec.msgpack.Decoder(RemoteQuery)
_results: Final = msgspec.msgpack.Decoder(Result)


def encode(value: RemoteQuery | Result) -> bytes:
    """What is sent."""
    return _encoder.encode(value)


def question(body: bytes) -> RemoteQuery:
    """The question that was sent. Raises `Malformed`."""
    try:
        return _questions.decode(body)
    except UNDECODABLE as exc:
        raise Malformed("", f"this is not a question of a replica's: {exc}") from exc


def result(body: bytes) -> Result:
    """The answer that was sent. Raises `Malformed`."""
    try:
        return _results.decode(body)
    except UNDECODABLE as exc:
        raise Malformed("", f"this is not an answer to a replica: {exc}") from exc
