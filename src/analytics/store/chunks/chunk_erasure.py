"""Erases rows from chunks: the result has the same id and offsets, and fewer rows.

Whether an erasure matches a row follows from the row alone, never from its place or the time of the
check. So erasures may be applied in any order, repeatedly, and concurrently.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from analytics.event import Erasure
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, add
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import Chunk, ChunkContent, ErasedIds, RecordSpan
from analytics.store.duckdb.row_erasure import KEEP_IDS_MS
from analytics.units import DAY_MS, HOUR_MS

_NO_SESSION: Final = pa.scalar(0, pa.uint64())


def rewritten(original: Chunk, erasures: Sequence[Erasure]) -> Chunk | None:
    """Return *original* without the rows that *erasures* match; None if they match none.

    Raises `Corrupt` if it cannot be read.
    """
    content = codec.read(original.chunk_id, original.payload)
    remaining = without(content, erasures)
    return None if remaining is content else codec.repack(original, remaining)


def without(content: ChunkContent, erasures: Sequence[Erasure]) -> ChunkContent:
    """Return *content* without the rows that *erasures* match, which are counted as erased.

    If they match none, the result is *content* itself.
    """
    concerned = concerns(content.table, erasures)
    if not concerned.true_count:
        return content
    erased = content.table.filter(concerned)
    newest = max(each.until for each in erasures)
    return content._replace(
        table=content.table.filter(pc.invert(concerned)),
        spans=_counted(content.spans, erased),
        dead=[each for each in content.dead if not _names(each, erasures)],
        gone=_ids(content.gone, erased, newest - KEEP_IDS_MS),
    )


def concerns(table: pa.Table, erasures: Sequence[Erasure]) -> pa.BooleanArray:
    """Return for each row of *table* whether one of *erasures* matches it."""
    matches = pa.array([False] * table.num_rows, pa.bool_())
    by_site: dict[str, list[Erasure]] = {}
    for erasure in erasures:
        by_site.setdefault(erasure.site, []).append(erasure)
    for site in by_site.keys() & set(pc.unique(table["site"]).to_pylist()):
        of_site = pc.equal(table["site"], site)
        for each in _conditions(table, by_site[site]):
            matches = pc.or_(matches, pc.and_(of_site, each))
    return matches.combine_chunks() if isinstance(matches, pa.ChunkedArray) else matches


def _conditions(table: pa.Table, erasures: Sequence[Erasure]) -> Iterable[pa.BooleanArray]:
    visitors: dict[int, int] = {}
    for erasure in erasures:
        if erasure.visitor is not None:
            until = max(erasure.until, visitors.get(erasure.visitor, erasure.until))
            visitors[erasure.visitor] = until
            continue
        by_then = pc.less_equal(table["received_at"], erasure.until)
        if erasure.before is None:
            yield by_then
        else:
            # As in `store.duckdb.row_erasure`: the row and the start of its visit must be older.
            ended = pc.or_(
                pc.equal(table["session"], _NO_SESSION),
                pc.less(table["session_start"], erasure.before),
            )
            yield pc.and_(by_then, pc.and_(pc.less(table["ts"], erasure.before), ended))
    if visitors:
        yield _of_visitors(table, visitors)


def _of_visitors(table: pa.Table, visitors: Mapping[int, int]) -> pa.BooleanArray:
    named = pc.index_in(table["visitor"], pa.array([*visitors], pa.uint64()))
    until = pc.take(pa.array([*visitors.values()], pa.int64()), named)
    return pc.fill_null(pc.less_equal(table["received_at"], until), fill_value=False)


def _names(letter: DeadLetter, erasures: Sequence[Erasure]) -> bool:
    """Return whether an undecodable record may belong to one of *erasures*."""
    return any(
        each.site.encode() in letter.payload
        and (
            letter.received_at <= each.until
            if each.before is None
            else letter.received_at < each.before
        )
        for each in erasures
    )


def _counted(spans: Sequence[RecordSpan], erased: pa.Table) -> list[RecordSpan]:
    """Return *spans* with the rows *erased* counted as such in their ledgers."""
    firsts = [span.first for span in spans]
    counts: dict[int, dict[LedgerKey, int]] = {}
    for site, received_at, offset in _values(erased, "site", "received_at", "log_offset"):
        key = LedgerKey(site, received_at - received_at % HOUR_MS)
        lines = counts.setdefault(bisect_right(firsts, offset) - 1, {})
        lines[key] = lines.get(key, 0) + 1
    return [
        span._replace(ledger=add(span.ledger, _lines(counts[at]))) if at in counts else span
        for at, span in enumerate(spans)
    ]


def _lines(erased: Mapping[LedgerKey, int]) -> dict[LedgerKey, LedgerLine]:
    return {key: LedgerLine(0, 0, 0, {}, 0, erased=count) for key, count in erased.items()}


def _ids(known: Sequence[ErasedIds], erased: pa.Table, since: int) -> list[ErasedIds]:
    ids = {(each.site, each.day): each.ids for each in known if each.day >= since // DAY_MS}
    for site, received_at, event_id in _values(erased, "site", "received_at", "event_id"):
        if received_at >= since:
            key = (site, received_at // DAY_MS)
            ids[key] = ids.get(key, b"") + bytes.fromhex(event_id.replace("-", ""))
    return [ErasedIds(site, day, theirs) for (site, day), theirs in sorted(ids.items())]


def _values(table: pa.Table, *columns: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in columns), strict=True)
