"""The query that a replica sends to the Spark job, about rows it has evicted, and its encoding."""

from __future__ import annotations

from typing import Final

import msgspec

from analytics.errors import UNDECODABLE, Malformed
from analytics.query import Query, Result


class RemoteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query, with the rows that it covers."""

    query: Query
    ends: dict[int, int]
    """Maps each partition of the log to the offset behind the records that count."""
    kept_since: int
    """Rows of days that ended before this time (UTC ms) were deleted by retention."""


_encoder: Final = msgspec.msgpack.Encoder()
_questions: Final = msgspec.msgpack.Decoder(RemoteQuery)
_results: Final = msgspec.msgpack.Decoder(Result)


def encode(value: RemoteQuery | Result) -> bytes:
    """Encode *value* as MessagePack."""
    return _encoder.encode(value)


def question(body: bytes) -> RemoteQuery:
    """Decode a query. Raises `Malformed`."""
    try:
        return _questions.decode(body)
    except UNDECODABLE as exc:
        raise Malformed("", f"this is not a question of a replica's: {exc}") from exc


def result(body: bytes) -> Result:
    """Decode an answer. Raises `Malformed`."""
    try:
        return _results.decode(body)
    except UNDECODABLE as exc:
        raise Malformed("", f"this is not an answer to a replica: {exc}") from exc
