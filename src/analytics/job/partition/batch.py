"""One batch of a partition, folded into chunks exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analytics.errors import Corrupt
from analytics.event import Erasure, Hit, LogRecord, Row
from analytics.job.partition.state_store import PartitionState, id_key
from analytics.pipeline.erasure import Ordered, came_too_late
from analytics.pipeline.fold import FoldResult, fold
from analytics.pipeline.ledger import DeadLetter, add, count_dead
from analytics.pipeline.source import Sources
from analytics.pipeline.state import Recalled, Records
from analytics.store.chunks import arrow, chunk_erasure, codec
from analytics.store.chunks.chunk import ChunkContent, RecordSpan
from analytics.stream.record import decode, fingerprint


class LogEntry(NamedTuple):
    """A record as it lies in the log."""

    offset: int
    appended_at: int
    payload: bytes


class BatchStats(NamedTuple):
    """What a batch came to."""

    records: int
    """Those not folded before."""
    rows: int
    dead: Sequence[DeadLetter]


def process_batch(
    memory: PartitionState, partition: int, batch: Sequence[LogEntry], sources: Sources
) -> BatchStats:
    """Fold what *memory* has not folded yet of *batch*, and put the chunks into its outbox.

    Raises `Corrupt` when records are missing between the last batch and this one.
    """
    with memory.transaction():
        expected = memory.next_offset
        fresh = [raw for raw in batch if expected is None or raw.offset >= expected]
        if not fresh:
            return BatchStats(0, 0, ())
        first, last = fresh[0].offset, fresh[-1].offset
        if expected is not None and first != expected:
            raise Corrupt(
                f"partition {partition}: the log goes on at {first}, and {expected} was to come:"
                f" {first - expected} records are gone. If the topic was deleted and made anew, run"
                " `analytics spark-job --adopt-topic`"
            )
        records, dead = _decoded(fresh)
        rows: list[Row] = []
        spans: list[RecordSpan] = []
        orders: list[Ordered] = []
        for part in _up_to_orders(records, last):
            outcome = _fold(memory, part.records, sources)
            rows += outcome.rows
            begin = spans[-1].last + 1 if spans else first
            unread = count_dead(each for each in dead if begin <= each.offset <= part.last)
            spans.append(RecordSpan(begin, part.last, add(outcome.ledger, unread)))
            if part.erasure is not None:
                memory.orders.note(part.erasure)
                memory.end_visits(part.erasure)
                orders.append(Ordered(part.last, part.erasure))
        folded = ChunkContent(arrow.to_table(rows), spans, dead, {}, expected is None, orders)
        # What was erased before it came here, or in this very batch, is only counted.
        content = chunk_erasure.without(folded, memory.orders.since(_earliest(rows)))
        memory.put_out(codec.chunks_of(partition, content))
        memory.note_dead(dead)
        memory.advance(last + 1, fingerprint(fresh[-1].payload))
    return BatchStats(len(fresh), len(rows), dead)


class _Part(NamedTuple):
    """Records of a batch up to an order to erase, if one ends them."""

    records: Records
    last: int
    """The offset of the last one."""
    erasure: Erasure | None


def _up_to_orders(records: Records, last: int) -> Iterator[_Part]:
    start = 0
    for at, (offset, record) in enumerate(records):
        if type(record) is Erasure:
            yield _Part(records[start : at + 1], offset, record)
            start = at + 1
    if start < len(records) or not records or records[-1][0] < last:
        yield _Part(records[start:], last, None)


def _fold(memory: PartitionState, records: Records, sources: Sources) -> FoldResult:
    """Fold *records*, and remember what they leave."""
    hits = [record for _, record in records if type(record) is Hit]
    orders = memory.orders.since(_earliest(hits))
    known = memory.known(hits)
    late = [each for each in records if _came_too_late(each[1], orders)] if orders else []
    # They keep their ids and are counted, and no visit of anybody's comes of them.
    gone = fold(late, Recalled(sources, ()), known)
    if late:
        known |= {(row.site, row.event_id) for row in gone.rows}
        records = [each for each in records if not _came_too_late(each[1], orders)]
        hits = [record for _, record in records if type(record) is Hit]
    state = Recalled(sources, memory.visits(hits))
    outcome = fold(records, state, known)
    rows = gone.rows + outcome.rows
    if rows:
        latest = max(row.received_at for row in rows)
        memory.remember_ids(((row.site, row.event_id) for row in rows), latest)
        memory.remember_visits(state.sessions.all(), latest)
    return FoldResult(rows, add(gone.ledger, outcome.ledger))


def _came_too_late(record: LogRecord, orders: Sequence[Erasure]) -> bool:
    return type(record) is Hit and came_too_late(record, orders)


def _earliest(received: Sequence[Hit] | Sequence[Row]) -> int:
    return min((each.received_at for each in received), default=0)


def _decoded(
    batch: Sequence[LogEntry],
) -> tuple[list[tuple[int, LogRecord]], list[DeadLetter]]:
    records: list[tuple[int, LogRecord]] = []
    dead: list[DeadLetter] = []
    for raw in batch:
        try:
            record = decode(raw.payload)
            if type(record) is Hit:
                id_key(record.site, record.event_id)
            records.append((raw.offset, record))
        except (Corrupt, ValueError) as exc:
            dead.append(DeadLetter(raw.offset, raw.appended_at, str(exc), raw.payload))
    return records, dead
