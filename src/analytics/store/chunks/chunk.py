"""A chunk: consecutive records of one partition, folded, as an immutable columnar blob.

A chunk's id follows from its kind, its partition and its offsets alone, so that
processing the same records again writes the same key. Its content changes only when rows are erased
from it (`analytics.store.chunks.chunk_erasure`). `analytics.store.chunks.codec` writes and reads
its payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

import pyarrow as pa

from analytics.pipeline.erasure import Ordered
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, add


class ChunkKind(StrEnum):
    """The origin of a chunk."""

    FRESH = "fresh"
    """From one batch of the stream."""
    SEALED = "sealed"
    """Merged from neighbouring chunks of past hours."""


class RecordSpan(NamedTuple):
    """The ledger of the records from *first* to *last* (inclusive) of the chunk's partition."""

    first: int
    last: int
    ledger: Mapping[LedgerKey, LedgerLine]


class ErasedIds(NamedTuple):
    """Ids of erased rows: a late copy of an erased event must still count as a duplicate."""

    site: str
    day: int
    """The UTC day on which they were received, as days since 1970-01-01."""
    ids: bytes
    """The UUIDs, 16 bytes each."""


class ChunkContent(NamedTuple):
    """The decoded payload of a chunk."""

    table: pa.Table
    """The stored rows, with the columns of `arrow.SCHEMA`, sorted by site, ts and log_offset."""
    spans: Sequence[RecordSpan]
    dead: Sequence[DeadLetter]
    directory: Mapping[str, tuple[int, int]]
    """Maps each site to (index of its first row in the table, number of its rows)."""
    begins: bool = False
    """Whether it is the first chunk that its partition ever had."""
    orders: Sequence[Ordered] = ()
    gone: Sequence[ErasedIds] = ()

    @property
    def ledger(self) -> dict[LedgerKey, LedgerLine]:
        """The ledgers of all spans, added up."""
        total: dict[LedgerKey, LedgerLine] = {}
        for span in self.spans:
            total = add(total, span.ledger)
        return total


class Chunk(NamedTuple):
    """A chunk as it is stored, with the fields that the stores index."""

    chunk_id: str
    kind: ChunkKind
    site: str
    """The site whose rows it has; "" for rows of all sites."""
    hour: int
    """The UTC hour (milliseconds) in which its first record was received."""
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    version: int
    payload: bytes


class ChunkHead(NamedTuple):
    """A chunk without its payload; see `Chunk` for the fields."""

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
    """Return the id of the chunk of the records from *first* to *last* (inclusive)."""
    return f"{kind.value}-{partition:05d}-{first:015d}-{last:015d}"


def chain(chunks: Iterable[_Records], at: int | None) -> list[_Records]:
    """Return the *chunks* to read from offset *at* on, up to the first gap, in offset order.

    Of several that begin at one offset, the longest is taken: the others were merged into it. With
    *at* None, the chain begins with the first chunk.
    """
    connected: list[_Records] = []
    for each in sorted(chunks, key=lambda each: (each.first_offset, -each.last_offset)):
        if at is None or each.first_offset == at:
            connected.append(each)
            at = each.last_offset + 1
        elif each.first_offset > at:
            break
    return connected
