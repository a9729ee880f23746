"""A chunk: consecutive records of one partition, folded, as an immutable columnar blob.

A chunk's id follows from its kind, its partition and its offsets alone, so that who folds the same
records again writes the same key. It changes in one way only: rows are erased from it
(`analytics.store.chunks.chunk_erasure`). `analytics.store.chunks.codec` writes and reads its
payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

import pyarrow as pa

from analytics.pipeline.erasure import Ordered
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, add


class ChunkKind(StrEnum):
    """What a chunk is made for."""

    FRESH = "fresh"
    """One batch of the stream."""
    SEALED = "sealed"
    """Neighbours made one, after their hour."""


class RecordSpan(NamedTuple):
    """What became of the records [first, last] of the chunk's partition."""

    first: int
    last: int
    ledger: Mapping[LedgerKey, LedgerLine]


class ErasedIds(NamedTuple):
    """Ids of rows that were erased: a copy that comes late is a duplicate as ever."""

    site: str
    day: int
    """The UTC day in which they were received, counted from 1970."""
    ids: bytes
    """16 bytes each."""


class ChunkContent(NamedTuple):
    """What a chunk says of its records."""

    table: pa.Table
    """The stored rows."""
    spans: Sequence[RecordSpan]
    dead: Sequence[DeadLetter]
    directory: Mapping[str, tuple[int, int]]
    """For each site, where its rows begin in the table, and how many there are."""
    begins: bool = False
    """Whether nothing was ever folded before it."""
    orders: Sequence[Ordered] = ()
    gone: Sequence[ErasedIds] = ()

    @property
    def ledger(self) -> dict[LedgerKey, LedgerLine]:
        """The ledger of all spans."""
        total: dict[LedgerKey, LedgerLine] = {}
        for span in self.spans:
            total = add(total, span.ledger)
        return total


class Chunk(NamedTuple):
    """A chunk as it is shared, with what can be asked of it unread."""

    chunk_id: str
    kind: ChunkKind
    site: str
    """Whose rows it holds; "" for all sites'."""
    hour: int
    """The UTC hour (milliseconds) in which its first record was received."""
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    version: int
    payload: bytes


class ChunkHead(NamedTuple):
    """What an index knows of a chunk, unread."""

    chunk_id: str
    kind: ChunkKind
    site: str
    hour: int
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    version: int


_Records = TypeVar("_Records", Chunk, ChunkHead)


def name(kind: ChunkKind, partition: int, first: int, last: int) -> str:
    """The id of the chunk of these records."""
    return f"{kind.value}-{partition:05d}-{first:015d}-{last:015d}"


def chain(chunks: Iterable[_Records], at: int | None) -> list[_Records]:
    """Of *chunks*, in the order of their first offsets, those to read from *at* on, without gap.

    Of several that begin at one offset the longest: the others are parts of it. With *at* None,
    from the first one on.
    """
    found: list[_Records] = []
    for each in sorted(chunks, key=lambda each: (each.first_offset, -each.last_offset)):
        if at is None or each.first_offset == at:
            found.append(each)
            at = each.last_offset + 1
        elif each.first_offset > at:
            break
    return found
