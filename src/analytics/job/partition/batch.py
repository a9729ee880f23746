"""Processes one batch of a partition: folds its records into chunks, exactly once."""

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
    """A record of the log: its offset, the time it was appended (UTC ms), its bytes."""

    offset: int
    appended_at: int
    payload: bytes


class BatchStats(NamedTuple):
    """The numbers of new records in a batch."""

    records: int
    """Records that no earlier batch had processed."""
    rows: int
    dead: Sequence[DeadLetter]


def process_batch(
    state: PartitionState, partition: int, batch: Sequence[LogEntry], sources: Sources
) -> BatchStats:
    """Fold the records of *batch* that *state* has not seen, and put the chunks into its outbox.

    One transaction covers all of it, so that repeating a batch changes nothing. Raises `Corrupt`
    if records are missing between the previous batch and this one.
    """
    with state.transaction():
        expected = state.next_offset
        fresh = [entry for entry in batch if expected is None or entry.offset >= expected]
        if not fresh:
            return BatchStats(0, 0, ())
        first, last = fresh[0].offset, fresh[-1].offset
        if expected is not None and first != expected:
            raise Corrupt(
                f"partition {partition}: the log continues at {first}, expected {expected}:"
                f" {first - expected} records are gone. If the topic was deleted and made anew, run"
                " `analytics spark-job --adopt-topic`"
            )
        records, dead = _decoded(fresh)
        rows: list[Row] = []
        spans: list[RecordSpan] = []
        orders: list[Ordered] = []
        for part in _split_at_erasures(records, last):
            outcome = _fold(state, part.records, sources)
            rows += outcome.rows
            begin = spans[-1].last + 1 if spans else first
            unread = count_dead(each for each in dead if begin <= each.offset <= part.last)
            spans.append(RecordSpan(begin, part.last, add(outcome.ledger, unread)))
            if part.erasure is not None:
                state.erasures.note(part.erasure)
                state.end_visits(part.erasure)
                orders.append(Ordered(part.last, part.erasure))
        folded = ChunkContent(arrow.to_table(rows), spans, dead, {}, expected is None, orders)
        # Rows that were erased before they arrived, or in this batch, are only counted.
        content = chunk_erasure.without(folded, state.erasures.since(_earliest(rows)))
        state.put_out(codec.chunks_of(partition, content))
        state.note_dead(dead)
        state.advance(last + 1, fingerprint(fresh[-1].payload))
    return BatchStats(len(fresh), len(rows), dead)


class _Part(NamedTuple):
    """Records of a batch, up to and including the next erasure if there is one."""

    records: Records
    last: int
    """The offset of the last record."""
    erasure: Erasure | None


def _split_at_erasures(records: Records, last: int) -> Iterator[_Part]:
    start = 0
    for at, (offset, record) in enumerate(records):
        if type(record) is Erasure:
            yield _Part(records[start : at + 1], offset, record)
            start = at + 1
    if start < len(records) or not records or records[-1][0] < last:
        yield _Part(records[start:], last, None)


def _fold(state: PartitionState, records: Records, sources: Sources) -> FoldResult:
    """Fold *records*, and store the ids and visits that later batches need."""
    hits = [record for _, record in records if type(record) is Hit]
    orders = state.erasures.since(_earliest(hits))
    stored_ids = state.known(hits)
    late = [each for each in records if _came_too_late(each[1], orders)] if orders else []
    # Late hits are counted and their ids stored, but they must not open or extend a visit.
    late_fold = fold(late, Recalled(sources, ()), stored_ids)
    if late:
        stored_ids |= {(row.site, row.event_id) for row in late_fold.rows}
        records = [each for each in records if not _came_too_late(each[1], orders)]
        hits = [record for _, record in records if type(record) is Hit]
    recalled = Recalled(sources, state.visits(hits))
    outcome = fold(records, recalled, stored_ids)
    rows = late_fold.rows + outcome.rows
    if rows:
        latest = max(row.received_at for row in rows)
        state.remember_ids(((row.site, row.event_id) for row in rows), latest)
        state.remember_visits(recalled.sessions.all(), latest)
    return FoldResult(rows, add(late_fold.ledger, outcome.ledger))


def _came_too_late(record: LogRecord, orders: Sequence[Erasure]) -> bool:
    return type(record) is Hit and came_too_late(record, orders)


def _earliest(received: Sequence[Hit] | Sequence[Row]) -> int:
    return min((each.received_at for each in received), default=0)


def _decoded(
    batch: Sequence[LogEntry],
) -> tuple[list[tuple[int, LogRecord]], list[DeadLetter]]:
    records: list[tuple[int, LogRecord]] = []
    dead: list[DeadLetter] = []
    for entry in batch:
        try:
            record = decode(entry.payload)
            if type(record) is Hit:
                id_key(record.site, record.event_id)
            records.append((entry.offset, record))
        except (Corrupt, ValueError) as exc:
            dead.append(DeadLetter(entry.offset, entry.appended_at, str(exc), entry.payload))
    return records, dead
