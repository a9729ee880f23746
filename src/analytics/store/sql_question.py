"""A question in SQL, and its answer: what a store is asked, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec


class SqlFormat(StrEnum):
    """How the rows of an answer are written."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class SqlQuestion(NamedTuple):
    """One SELECT, about the rows of certain sites in a span of time."""

    statement: str
    sites: Mapping[str, str]
    """The time zone of each site that is asked about, by its domain; no other site is seen."""
    start: int
    """In UTC milliseconds; *end* is exclusive."""
    end: int
    format: SqlFormat


class ResultColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of an answer."""

    name: str
    type: str
    """As DuckDB calls it."""


class SqlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose rows lie in a file."""

    path: Path
    """In JSON, a list of lists: the values of each row."""
    columns: Sequence[ResultColumn]
    rows: int
    truncated: bool
    """Whether there were more rows than may be answered, which were left out."""
    held_since: Mapping[str, int] = {}
    """For each site of which this replica has evicted rows: the moment (ms) of the first kept."""
    as_of: int | None = None
    """The moment (ms) up to which the rows are complete, if that is long ago."""


class AnswersSql(Protocol):
    """Answers SELECTs about documented views (docs/sql.md)."""

    async def sql(self, question: SqlQuestion) -> SqlAnswer:
        """Return the answer; whoever asks deletes its file.

        Raise `Malformed` for what is not one SELECT, or needs more than it may, `QueryTooLong`
        when it takes longer than it may, `Busy` when others were ahead for too long.
        """
