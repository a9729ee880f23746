"""The query that a replica sends to the Spark job, about rows it has evicted, and its encoding."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from analytics.errors import UNDECODABLE, Malformed
from analytics.exploration import Exploration, ExplorationResult
from analytics.query import Query, Result


class RemoteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query or an exploration, with the rows that it covers."""

    query: Query | None = None
    exploration: Exploration | None = None
    """Where there is no query. Its answer is an `ExplorationResult`, else a `Result`."""
    ends: dict[int, int]
    """Maps each partition of the log to the offset behind the records that count."""
    kept_since: int
    """Rows of days that ended before this time (UTC ms) were deleted by retention."""

    @classmethod
    def of(cls, asked: Query | Exploration, *, ends: dict[int, int], kept_since: int) -> Self:
        """Return the question *asked* about these rows."""
        if isinstance(asked, Query):
            return cls(query=asked, ends=ends, kept_since=kept_since)
        return cls(exploration=asked, ends=ends, kept_since=kept_since)

    @property
    def asked(self) -> Query | Exploration:
        """The query or the exploration. Raises `Malformed` if it is neither."""
        asked = self.query or self.exploration
        if asked is None:
            raise Malformed("query", "it is missing")
        return asked


_encoder: Final = msgspec.msgpack.Encoder()
_questions: Final = msgspec.msgpack.Decoder(RemoteQuery)
_results: Final = msgspec.msgpack.Decoder(Result)
_explored: Final[msgspec.msgpack.Decoder[ExplorationResult]] = msgspec.msgpack.Decoder(
    ExplorationResult
)


def encode(value: RemoteQuery | Result | ExplorationResult) -> bytes:
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


def exploration_result(body: bytes) -> ExplorationResult:
    """Decode the answer to an exploration. Raises `Malformed`."""
    try:
        return _explored.decode(body)
    except UNDECODABLE as exc:
        raise Malformed("", f"this is not an answer to a replica: {exc}") from exc
