"""The fold of a partition: in whatever batches, however often, each record counts once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.job.events import HOUR, NOON, logs

from analytics.errors import Corrupt
from analytics.event import Erasure, Hit, LogRecord, Row
from analytics.job.partition.batch import LogEntry, process_batch
from analytics.job.partition.recovery import rebuild
from analytics.job.partition.state_store import PartitionState
from analytics.pipeline.erasure import came_too_late
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import LedgerKey, LedgerLine, add
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.store.chunks import arrow, chunk, codec
from analytics.store.chunks.chunk_erasure import rewritten
from analytics.stream.record import encode

SOURCES = Sources()


def raw(records: Sequence[LogRecord], start: int = 0) -> list[LogEntry]:
    return [LogEntry(at, NOON, encode(record)) for at, record in enumerate(records, start)]


def outbox(memory: PartitionState) -> tuple[list[Row], dict[LedgerKey, LedgerLine]]:
    rows: list[Row] = []
    ledger: dict[LedgerKey, LedgerLine] = {}
    at = 0
    for each in memory.unsent(10_000):
        assert each.first_offset == at  # no gap, no overlap
        at = each.last_offset + 1
        content = codec.read(each.chunk_id, each.payload)
        rows += arrow.to_rows(content.table)
        ledger = add(ledger, content.ledger)
    assert memory.next_offset in (at, None)
    return sorted(rows, key=lambda row: row.log_offset), ledger


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PartitionState]:
    with PartitionState(tmp_path / "p.sqlite") as memory:
        yield memory


@given(logs(), st.data())
def test_batches_of_any_size_repeated_at_will_come_to_what_one_memory_makes(
    records: list[LogRecord], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.sqlite"
        payloads = raw(records)
        at = 0
        while at < len(payloads):
            size = data.draw(st.integers(1, 15))
            again = data.draw(st.integers(0, 5))
            with PartitionState(path) as memory:  # as another process would
                process_batch(memory, 3, payloads[max(0, at - again) : at + size], SOURCES)
            at += size
        with PartitionState(path) as memory:
            rows, ledger = outbox(memory)
    for_ever = PipelineState(SOURCES, keep_ms=1 << 50)
    whole = fold(list(enumerate(records)), for_ever, set())
    assert rows == whole.rows
    assert ledger == whole.ledger


@given(logs(), st.data())
def test_a_lost_or_old_memory_is_made_again_from_the_chunks(
    records: list[LogRecord], data: st.DataObject
) -> None:
    payloads = raw(records)
    lost_at = data.draw(st.integers(0, len(payloads)))
    copied_at = data.draw(st.integers(0, lost_at // 7)) * 7
    shared = Shared()
    with tempfile.TemporaryDirectory() as folder:
        with PartitionState(Path(folder) / "lost.sqlite") as memory:
            for at in range(0, lost_at, 7):
                process_batch(memory, 0, payloads[at : min(at + 7, lost_at)], SOURCES)
            shared.chunks = memory.unsent(1000)
        with PartitionState(Path(folder) / "new.sqlite") as memory:
            for at in range(0, copied_at, 7):
                process_batch(memory, 0, payloads[at : at + 7], SOURCES)
            memory.sent(memory.unsent(1000), NOON)
            rebuild(memory, 0, shared)
            process_batch(memory, 0, payloads, SOURCES)  # Spark begins at the beginning again
            shared.chunks += memory.unsent(1000)
    rows = [
        row
        for each in shared.chunks
        for row in arrow.to_rows(codec.read(each.chunk_id, each.payload).table)
    ]
    whole = fold(list(enumerate(records)), PipelineState(SOURCES, keep_ms=1 << 50), set())
    assert sorted(rows, key=lambda row: row.log_offset) == whole.rows
    begins = [codec.read(each.chunk_id, each.payload).begins for each in shared.chunks]
    assert begins == [True, *([False] * (len(begins) - 1))][: len(begins)]


@st.composite
def logs_with_orders(draw: st.DrawFn) -> list[LogRecord]:
    """Now and then somebody is erased, or a site."""
    made: list[LogRecord] = []
    for record in draw(logs()):
        made.append(record)
        if type(record) is Hit and draw(st.integers(0, 4)) == 0:
            made.append(
                Erasure(
                    site=draw(st.sampled_from(["a.example", "b.example"])),
                    # A spool may hold up hits that were received long before.
                    until=record.received_at + draw(st.sampled_from([0, 0, 0, HOUR])),
                    visitor=draw(st.sampled_from([None, 1, 2])),
                    shard=0,
                )
            )
    return made


def never_sent(records: Sequence[LogRecord]) -> list[tuple[int, LogRecord]]:
    """The log without the hits that are erased, and without the copies of those."""
    orders = [record for record in records if type(record) is Erasure]
    taken: set[tuple[str, str]] = set()
    left: list[tuple[int, LogRecord]] = []
    for offset, record in enumerate(records):
        if type(record) is Hit:
            key = (record.site, record.event_id)
            if key in taken:
                continue
            taken.add(key)
            if came_too_late(record, orders):
                continue
        left.append((offset, record))
    return left


@given(logs_with_orders(), st.data())
def test_what_is_erased_leaves_rows_as_if_it_had_never_been_sent(
    records: list[LogRecord], data: st.DataObject
) -> None:
    """In whatever batches, and though the memory is lost on the way."""
    payloads = raw(records)
    lost_at = data.draw(st.integers(0, len(payloads)))
    shared = Shared()
    with tempfile.TemporaryDirectory() as folder:
        with PartitionState(Path(folder) / "lost.sqlite") as memory:
            at = 0
            while at < lost_at:
                size = data.draw(st.integers(1, 15))
                process_batch(memory, 0, payloads[at : min(at + size, lost_at)], SOURCES)
                at += size
            shared.chunks = memory.unsent(1000)
            if data.draw(st.booleans()):  # before or after they were rewritten
                orders = memory.erasures.all()
                shared.chunks = [rewritten(each, orders) or each for each in shared.chunks]
        with PartitionState(Path(folder) / "new.sqlite") as memory:
            rebuild(memory, 0, shared)
            process_batch(memory, 0, payloads, SOURCES)
            shared.chunks += memory.unsent(1000)
            orders = memory.erasures.all()
    contents = [
        codec.read(each.chunk_id, (rewritten(each, orders) or each).payload)
        for each in shared.chunks
    ]
    rows = [row for content in contents for row in arrow.to_rows(content.table)]
    whole = fold(never_sent(records), PipelineState(SOURCES, keep_ms=1 << 50), set())
    assert sorted(rows, key=lambda row: row.log_offset) == whole.rows
    ledger: dict[LedgerKey, LedgerLine] = {}
    for content in contents:
        ledger = add(ledger, content.ledger)
    assert sum(line.received for line in ledger.values()) == len(records)
    assert sum(line.stored - line.erased for line in ledger.values()) == len(rows)


def copy_of(one: Hit, received_at: int) -> Hit:
    """The same event, sent again."""
    return structs.replace(one, received_at=received_at)


def test_an_erased_event_that_is_sent_again_is_a_copy_though_the_memory_was_lost(
    tmp_path: Path,
) -> None:
    first = Hit(event_id="1" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=1)
    other = Hit(event_id="2" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=2)
    order = Erasure(site="a.example", visitor=1, until=NOON + 10, shard=0)
    shared = Shared()
    with PartitionState(tmp_path / "lost.sqlite") as memory:
        process_batch(memory, 0, raw([first, other]), SOURCES)
        process_batch(memory, 0, raw([order], start=2), SOURCES)
        shared.chunks = [rewritten(each, [order]) or each for each in memory.unsent(9)]
    assert [each.rows for each in shared.chunks] == [1, 0]
    with PartitionState(tmp_path / "new.sqlite") as memory:
        rebuild(memory, 0, shared)
        process_batch(memory, 0, raw([copy_of(first, NOON + HOUR)], start=3), SOURCES)
        (one,) = memory.unsent(9)
    ledger = codec.read(one.chunk_id, one.payload).ledger
    assert [(line.stored, line.duplicate) for line in ledger.values()] == [(0, 1)]


def test_a_hit_out_of_a_spool_and_its_copy_after_the_erasure_leave_nothing(
    memory: PartitionState,
) -> None:
    order = Erasure(site="a.example", until=NOON + 10, shard=0)
    held_up = Hit(event_id="1" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=1)
    process_batch(memory, 0, raw([order, held_up, copy_of(held_up, NOON + 20)]), SOURCES)
    rows, ledger = outbox(memory)
    assert rows == []
    (line,) = [line for key, line in ledger.items() if key.site]
    assert (line.stored, line.erased, line.duplicate) == (1, 1, 1)


class Shared:
    """Chunks in order, shared."""

    chunks: list[chunk.Chunk]

    def following(self, partition: int, offset: int, limit: int) -> list[chunk.Chunk]:
        return [each for each in self.chunks if each.first_offset >= offset][:limit]


def test_what_cannot_be_read_is_a_dead_letter_and_counted(memory: PartitionState) -> None:
    good = Hit(event_id="0" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=1)
    no_id = Hit(event_id="none", site="a.example", ts=NOON, received_at=NOON, visitor=1)
    folded = process_batch(memory, 0, [*raw([good, no_id]), LogEntry(2, NOON, b"\xc1")], SOURCES)
    assert (folded.records, folded.rows) == (3, 1)
    (one,) = memory.unsent(9)
    assert [each.offset for each in codec.read("", one.payload).dead] == [1, 2]
    assert sum(line.dead for line in outbox(memory)[1].values()) == 2


def test_records_that_are_missing_are_noticed(memory: PartitionState) -> None:
    hit = Hit(event_id="0" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=1)
    process_batch(memory, 0, raw([hit]), SOURCES)
    with pytest.raises(Corrupt, match="2 records are gone"):
        process_batch(memory, 0, raw([hit], start=3), SOURCES)
    assert memory.next_offset == 1


def test_a_chunk_stays_until_it_is_confirmed(memory: PartitionState) -> None:
    hit = Hit(event_id="0" * 32, site="a.example", ts=NOON, received_at=NOON, visitor=1)
    process_batch(memory, 0, raw([hit]), SOURCES)
    (one,) = memory.unsent(9)
    memory.sent([one], at=100)
    assert memory.unsent(9) == []
    assert [each.chunk_id for each in memory.waiting(101, 9)] == [one.chunk_id]
    memory.send_again([one.chunk_id])
    assert memory.unsent(9) == [one]
    memory.sent([one], at=100)
    memory.confirmed(memory.waiting(101, 9))
    assert memory.unconfirmed() == set()
    assert memory.outbox_bytes == 0


def test_who_sent_or_confirmed_a_chunk_before_it_was_rewritten_did_it_in_vain(
    memory: PartitionState,
) -> None:
    hits = [
        Hit(event_id=f"{n:032}", site="a.example", ts=NOON, received_at=NOON, visitor=n)
        for n in (1, 2)
    ]
    process_batch(memory, 0, raw(hits), SOURCES)
    (one,) = memory.unsent(9)
    memory.sent([one], at=100)
    (waiting,) = memory.waiting(101, 9)
    new = rewritten(one, [Erasure(site="a.example", visitor=1, until=NOON, shard=0)])
    assert new is not None
    memory.put_out_rewritten([new])
    memory.confirmed([waiting])
    memory.sent([one], at=100)
    assert (memory.unsent(9), memory.unsent(9, rewritten=True)) == ([], [new])
    memory.sent([new], at=200)
    assert [each.rewritten for each in memory.waiting(201, 9)] == [True]
    memory.confirmed(memory.waiting(201, 9))
    assert (memory.unconfirmed(), memory.rewrites) == (set(), 0)
