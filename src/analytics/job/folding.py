"""One batch of a partition, folded into chunks exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics.errors import Corrupt
from analytics.event import Hit, LogRecord
from analytics.job.memory import PartitionMemory, id_key
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import DeadLetter, add, count_dead
from analytics.pipeline.source import Sources
from analytics.pipeline.state import Recalled
from analytics.store import chunk
from analytics.stream.record import decode


class Raw(NamedTuple):
    """A record as it lies in the log."""

    offset: int
    appended_at: int
    payload: bytes


class Folded(NamedTuple):
    """What a batch came to."""

    records: int
    """Those not folded before."""
    rows: int
    dead: Sequence[DeadLetter]


def fold_batch(
    memory: PartitionMemory, partition: int, batch: Sequence[Raw], sources: Sources
) -> Folded:
    """Fold what *memory* has not folded yet of *batch*, and put the chunks into its outbox.

    Raises `Corrupt` when records are missing between the last batch and this one.
    """
    with memory.transaction():
        expected = memory.next_offset
        fresh = [raw for raw in batch if expected is None or raw.offset >= expected]
        if not fresh:
            return Folded(0, 0, ())
        first, last = fresh[0].offset, fresh[-1].offset
        if expected is not None and first != expected:
            raise Corrupt(
                f"partition {partition}: the log goes on at {first}, and {expected} was to come:"
                f" {first - expected} records are gone. If the topic still has them, remove the"
                " job's folder `checkpoint`: it then reads all of it, and skips what it has folded"
            )
        records, dead = _decoded(fresh)
        hits = [record for _, record in records if type(record) is Hit]
        latest = max((hit.received_at for hit in hits), default=0)
        state = Recalled(sources, memory.visits(hits))
        outcome = fold(records, state, memory.known(hits))
        if outcome.rows:
            memory.remember_ids(((row.site, row.event_id) for row in outcome.rows), latest)
            memory.remember_visits(state.sessions.all(), latest)
        span = chunk.Span(first, last, add(outcome.ledger, count_dead(dead)))
        memory.put_out(chunk.pack(partition, [span], outcome.rows, dead, begins=expected is None))
        memory.advance(last + 1)
    return Folded(len(fresh), len(outcome.rows), dead)


def _decoded(
    batch: Sequence[Raw],
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
