"""A query in SQL, and its answer, as a store sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec


class SqlFormat(StrEnum):
    """The format of the rows of an answer."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class SqlQuestion(NamedTuple):
    """One SELECT, about the rows of certain sites in a span of time."""

    statement: str
    sites: Mapping[str, str]
    """Maps the domain of each site of the query to its time zone; other sites are invisible."""
    start: int
    """In UTC milliseconds; *end* is exclusive."""
    end: int
    format: SqlFormat


class ResultColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of an answer."""

    name: str
    type: str
    """The type's name in DuckDB."""


class SqlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose rows lie in a file."""

    path: Path
    """In JSON, a list of lists: the values of each row."""
    columns: Sequence[ResultColumn]
    rows: int
    truncated: bool
    """Whether the answer was truncated, because there were more rows than allowed."""
    held_since: Mapping[str, int] = {}
    """For each site of which this replica has evicted rows: the moment (ms) of the first kept."""
    as_of: int | None = None
    """The moment (ms) up to which the rows are complete, if that is long ago."""


class AnswersSql(Protocol):
    """Answers SELECTs about documented views (docs/sql.md)."""

    async def sql(self, question: SqlQuestion) -> SqlAnswer:
        """Return the answer; the caller deletes its file.

        Raise `Malformed` unless it is one SELECT within its limits, `QueryTooLong` after its time
        limit, `Busy` if it waited too long in the queue.
        """
