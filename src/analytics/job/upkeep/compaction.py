"""Sealing: neighbouring chunks become one, when nothing is added near them any more.

A batch a second makes a chunk a second, however few hits there are. So chunks of past hours are
merged, until they are large; the offsets of the merged one are those of all its parts, and so
are its spans. Readers take, of the chunks that begin where they are, the longest; the parts are
removed only when Cassandra has the whole. So nobody ever sees a record twice, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa

from analytics.pipeline.ledger import HOUR_MS
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import Chunk, ChunkContent, ChunkHead, ChunkKind

_SETTLED_MS: Final = HOUR_MS + 10 * 60_000
"""How long after the beginning of its hour a chunk is past."""
_LEAST: Final = 8
"""Fewer chunks are not worth a merge."""
_MOST: Final = 256
ENOUGH_ROWS: Final = 5_000
"""A chunk of so many rows is large enough."""


def obsolete(heads: Iterable[ChunkHead]) -> dict[str, str]:
    """The chunks that lie wholly within another, each with the id of that one."""
    found: dict[str, str] = {}
    whole: ChunkHead | None = None
    for head in sorted(heads, key=lambda each: (each.first_offset, -each.last_offset)):
        if whole is not None and head.last_offset <= whole.last_offset:
            found[head.chunk_id] = whole.chunk_id
        else:
            whole = head
    return found


def groups(heads: Sequence[ChunkHead], now: int) -> list[list[str]]:
    """Ids of neighbours that are past, and that together make one chunk of the right size.

    None of *heads*, which are in order, may be obsolete.
    """
    made: list[list[str]] = []
    current: list[str] = []
    rows = 0
    end = -1
    for head in heads:
        past = head.hour < now - _SETTLED_MS and head.rows < ENOUGH_ROWS
        fits = rows + head.rows <= ENOUGH_ROWS and len(current) < _MOST and head.first_offset == end
        if current and not (past and fits):
            made.append(current)
            current, rows = [], 0
        if past:
            current.append(head.chunk_id)
            rows += head.rows
        end = head.last_offset + 1
    made.append(current)
    return [ids for ids in made if len(ids) >= _LEAST]


def merge(chunks: Sequence[Chunk]) -> list[Chunk]:
    """One chunk of neighbours; more of them if it would be too large."""
    contents = [codec.read(each.chunk_id, each.payload) for each in chunks]
    content = ChunkContent(
        pa.concat_tables(content.table for content in contents),
        [span for content in contents for span in content.spans],
        [letter for content in contents for letter in content.dead],
        {},
        contents[0].begins,
        [order for content in contents for order in content.orders],
        [gone for content in contents for gone in content.gone],
    )
    return codec.chunks_of(chunks[0].partition, content, kind=ChunkKind.SEALED)
