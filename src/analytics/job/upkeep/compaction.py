"""Merges small neighbouring chunks into larger ones.

One batch a second makes one chunk a second, however few hits there are. Chunks of past hours are
therefore merged. The merged chunk covers the offsets of all its parts, and has their spans. Of
several chunks that begin at one offset, readers take the longest, and the parts are removed only
when Cassandra has the merged chunk. So no reader ever sees a record twice, or misses one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa

from analytics.store.chunks import codec
from analytics.store.chunks.chunk import Chunk, ChunkContent, ChunkHead, ChunkKind
from analytics.units import HOUR_MS

_SETTLED_MS: Final = HOUR_MS + 10 * 60_000
"""How long after the beginning of its hour a chunk may be merged."""
_LEAST: Final = 8
"""Fewer chunks are not worth merging."""
_MOST: Final = 256
ENOUGH_ROWS: Final = 5_000
"""A chunk of this many rows is not merged further."""


def obsolete(heads: Iterable[ChunkHead]) -> dict[str, str]:
    """Map the id of each chunk that lies within another one to the id of that one."""
    within: dict[str, str] = {}
    outer: ChunkHead | None = None
    for head in sorted(heads, key=lambda each: (each.first_offset, -each.last_offset)):
        if outer is not None and head.last_offset <= outer.last_offset:
            within[head.chunk_id] = outer.chunk_id
        else:
            outer = head
    return within


def groups(heads: Sequence[ChunkHead], now: int) -> list[list[str]]:
    """Return groups of ids of neighbouring chunks that should be merged at *now* (UTC ms).

    *heads* are in offset order, without obsolete ones. A group has 8 to 256 chunks of past hours,
    with at most 5,000 rows together.
    """
    merges: list[list[str]] = []
    current: list[str] = []
    rows = 0
    end = -1
    for head in heads:
        past = head.hour < now - _SETTLED_MS and head.rows < ENOUGH_ROWS
        fits = rows + head.rows <= ENOUGH_ROWS and len(current) < _MOST and head.first_offset == end
        if current and not (past and fits):
            merges.append(current)
            current, rows = [], 0
        if past:
            current.append(head.chunk_id)
            rows += head.rows
        end = head.last_offset + 1
    merges.append(current)
    return [ids for ids in merges if len(ids) >= _LEAST]


def merge(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Merge neighbouring *chunks*, in offset order, into one, or several if it would be too large.

    Raises `Corrupt` if one of them cannot be read.
    """
    contents = [codec.read(each.chunk_id, each.payload) for each in chunks]
    content = ChunkContent(
        pa.concat_tables(content.table for content in contents),
        [span for content in contents for span in content.spans],
        [letter for content in contents for letter in content.dead],
        {},
        contents[0].begins,
        [order for content in contents for order in content.orders],
        [erased for content in contents for erased in content.gone],
    )
    return codec.chunks_of(chunks[0].partition, content, kind=ChunkKind.SEALED)
