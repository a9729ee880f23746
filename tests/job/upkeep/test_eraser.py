"""Rewriting ends with every chunk rewritten in both places, whatever is cut off on the way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.job.events import DAY, NOON
from tests.marks import found

from analytics.errors import StoreUnavailable
from analytics.event import Erasure, Hit
from analytics.job.partition import outbox
from analytics.job.partition.batch import LogEntry, process_batch
from analytics.job.partition.recovery import rebuild
from analytics.job.partition.state_store import PartitionState
from analytics.job.upkeep import compaction
from analytics.job.upkeep.eraser import Eraser
from analytics.pipeline.ledger import LedgerKey, LedgerLine, add
from analytics.pipeline.source import Sources
from analytics.store.chunks import chunk, codec
from analytics.store.chunks.chunk import Chunk, ChunkHead
from analytics.store.chunks.chunk_erasure import rewritten
from analytics.stream.record import encode
from analytics.testing.builders import hit

SOURCES = Sources()
SITE = "a.example"
MOST_CALLS = 60


class Place:
    """Ignite in front of Cassandra, as two dicts; a call may fail before or after its effect."""

    def __init__(self) -> None:
        self.there: dict[str, Chunk] = {}
        self.lasting: dict[str, Chunk] = {}
        self.calls = 0
        self.fails_at: int | None = None
        self.done_before_it_fails = False

    def _call(self, effect: Mapping[str, Chunk] | None = None) -> None:
        self.calls += 1
        fails = self.calls == self.fails_at
        if effect and (not fails or self.done_before_it_fails):
            self.there |= effect
        if fails:
            raise StoreUnavailable("it was killed")

    def add(self, chunks: Sequence[Chunk]) -> None:
        self._call({e.chunk_id: e for e in chunks if e.chunk_id not in self.there})

    def put(self, chunks: Sequence[Chunk]) -> None:
        self._call({each.chunk_id: each for each in chunks})

    def rows(self, ids: Sequence[str]) -> Mapping[str, int]:
        self._call()
        return {each: self.there[each].rows for each in ids if each in self.there}

    def heads(self, partition: int) -> Sequence[ChunkHead]:
        self._call()
        return [ChunkHead(*each[:9]) for each in self.there.values() if each.partition == partition]

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        self._call()
        return [self.there[each] for each in ids if each in self.there]

    def write_behind(self) -> None:
        self.lasting |= self.there

    def forget(self) -> None:
        """Both nodes die, with what was not written yet."""
        self.there = {}

    def recall(self) -> None:
        self.there = {**self.lasting, **self.there}


class Disk:
    """Cassandra's side of a `Place`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def rows(self, ids: Sequence[str]) -> Mapping[str, int]:
        return {i: self._place.lasting[i].rows for i in ids if i in self._place.lasting}

    def heads(self) -> Mapping[int, Sequence[ChunkHead]]:
        return {0: [ChunkHead(*each[:9]) for each in self._place.lasting.values()]}

    def read(self, ids: Sequence[str]) -> Sequence[Chunk]:
        return [self._place.lasting[each] for each in ids if each in self._place.lasting]


def visit(number: int) -> Hit:
    return hit(NOON + number * 1000, event_id=f"{number:032}", site=SITE, visitor=number % 3)


def payloads() -> Iterator[LogEntry]:
    """Forty hits of three visitors; then the first of them is erased; then ten more."""
    erasure = Erasure(site=SITE, visitor=0, until=NOON + 40_000, shard=0)
    records = [*map(visit, range(40)), erasure, *map(visit, range(50, 60))]
    for offset, record in enumerate(records):
        yield LogEntry(offset, NOON, encode(record))


class Job:
    """What the worker and the outbox relay do with one partition, each killed now and then."""

    def __init__(self, path: Path, place: Place) -> None:
        self.path = path
        self.place = place
        self.disk = Disk(place)
        self.eraser = Eraser(place, self.disk)
        self.now = NOON + 10 * DAY

    def fold(self, records: Sequence[LogEntry], at_once: int = 4) -> None:
        for start in range(0, len(records), at_once):
            with PartitionState(self.path) as memory:
                process_batch(memory, 0, records[start : start + at_once], SOURCES)

    def round(self) -> int:
        """One round of the outbox relay; if it is killed, another one begins from nothing."""
        self.now += 60_000
        try:
            with PartitionState(self.path) as memory:
                outbox.send(memory, self.place, self.now)
                outbox.confirm(memory, self.place, self.disk, self.now)
                return self.eraser.step(memory, 0, self.now)
        except StoreUnavailable:
            self.eraser = Eraser(self.place, self.disk)
            return 1

    def idle(self) -> bool:
        with PartitionState(self.path) as memory:
            return not memory.unconfirmed() and not memory.erasures.pending()


def content_of(chunks: Mapping[str, Chunk]) -> tuple[set[int], dict[LedgerKey, LedgerLine]]:
    """Who is in *chunks*, and what their ledger says."""
    visitors: set[int] = set()
    ledger: dict[LedgerKey, LedgerLine] = {}
    for each in chunk.chain(chunks.values(), 0):
        content = codec.read(each.chunk_id, each.payload)
        visitors |= set(content.table["visitor"].to_pylist())
        ledger = add(ledger, content.ledger)
    return visitors, ledger


def finished(job: Job, *, in_memory: bool = True) -> None:
    for _ in range(50):
        job.round()
        job.place.write_behind()
        if job.idle():
            break
    assert job.idle()
    for chunks in [job.place.lasting, *([job.place.there] if in_memory else [])]:
        visitors, ledger = content_of(chunks)
        # Those of the ten that came after it stay.
        assert [line.erased for key, line in ledger.items() if key.site] == [14]
        assert sum(line.stored for line in ledger.values()) == 50
        rows = sum(e.rows for e in chunk.chain(chunks.values(), 0))
        assert rows == 50 - 14
        assert visitors == {0, 1, 2}
        for each in chunks.values():
            table = codec.read(each.chunk_id, each.payload).table
            mine = [
                received
                for visitor, received in zip(
                    table["visitor"].to_pylist(), table["received_at"].to_pylist(), strict=True
                )
                if visitor == 0
            ]
            assert all(received > NOON + 40_000 for received in mine), each.chunk_id


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_job_that_is_killed_at_any_call_ends_with_the_same(tmp_path: Path, done: bool) -> None:
    records = list(payloads())
    calls = 0
    for fails_at in range(1, MOST_CALLS):
        place = Place()
        place.fails_at, place.done_before_it_fails = fails_at, done
        job = Job(tmp_path / f"{done}-{fails_at}.sqlite", place)
        job.fold(records[:30])
        for _ in range(3):
            job.round()
            place.write_behind()
        job.fold(records[30:])
        finished(job)
        calls = place.calls
        if fails_at >= calls:
            break
    assert 5 < calls < MOST_CALLS, "it was killed at each of them"


def test_ignite_comes_back_with_what_cassandra_had_and_the_rows_stay_gone(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records[:40])
    for _ in range(2):
        job.round()
        place.write_behind()  # as they were
    job.fold(records[40:])
    for _ in range(3):
        job.round()
        place.forget()  # the rewritten ones with it
        place.recall()
        assert not job.idle()
    finished(job)


def test_nothing_is_done_before_cassandra_has_the_rewritten_chunks(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records[:40])
    for _ in range(3):
        job.round()
        place.write_behind()
    job.fold(records[40:])
    for _ in range(5):
        assert job.round() == 1, "what lies there under their ids is the old ones"
    finished(job)


def test_old_chunks_are_rewritten_on_disk_and_the_others_do_not_fill_the_memory(
    tmp_path: Path,
) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records[:3], at_once=1)
    job.fold(records[3:40])
    for _ in range(3):
        job.round()
        place.write_behind()
    untouched = {
        each.chunk_id
        for each in place.there.values()
        if rewritten(each, [Erasure(site=SITE, visitor=0, until=NOON + 40_000, shard=0)]) is None
    }
    place.forget()
    job.fold(records[40:])
    finished(job, in_memory=False)
    assert len(untouched) == 2
    assert untouched.isdisjoint(place.there)


def test_a_worker_who_sends_a_chunk_late_does_not_bring_it_back(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    job.fold(list(payloads()))
    with PartitionState(job.path) as memory:
        in_hand = memory.unsent(100)
        finished(job)
        place.add(in_hand)
        memory.sent(in_hand, job.now)
    finished(job)


def test_nothing_is_rewritten_while_it_is_on_its_way(tmp_path: Path) -> None:
    """Sent late, it would take the place of what is rewritten, where that is on disk only."""
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    job.fold(list(payloads()))
    done = threading.Event()

    def rewrite() -> None:
        with PartitionState(job.path) as memory:
            memory.put_out_rewritten(memory.kept("", 1))
        done.set()

    rewriting = threading.Thread(target=rewrite)
    add = place.add

    def slow_add(chunks: Sequence[Chunk]) -> None:
        if not rewriting.ident:
            rewriting.start()
            assert not done.wait(1), "it waits until what is on its way has arrived"
        add(chunks)

    place.add = slow_add
    with PartitionState(job.path) as memory:
        outbox.send(memory, place, job.now)
    rewriting.join()
    assert done.is_set()


def test_an_old_copy_of_a_memory_does_not_bring_back_what_was_erased(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records[:40])
    with PartitionState(job.path) as memory:
        old = memory.unsent(100)
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(job.path)) as db, closing(sqlite3.connect(copy)) as into:
        db.backup(into)
    job.fold(records[40:])
    finished(job)
    place.forget()  # it was all let go from memory; Cassandra has it
    with PartitionState(copy) as memory:
        rebuild(memory, 0, Shelf(place))
        outbox.send(memory, place, job.now)
        place.write_behind()
    erased = {each.chunk_id for each in old if place.lasting[each.chunk_id].rows < each.rows}
    assert erased
    assert place.there == {}


class Shelf:
    """All chunks, as the archive has them."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        chunks = {**self._place.lasting, **self._place.there}.values()
        mine = [e for e in chunks if e.partition == partition and e.first_offset >= offset]
        return sorted(mine, key=lambda each: each.first_offset)[:limit]


def test_what_is_sealed_is_rewritten_and_keeps_its_parts_content(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records[:40])
    for _ in range(3):
        job.round()
        place.write_behind()
    parts = sorted(place.there.values(), key=lambda each: each.first_offset)
    sealed = compaction.merge(parts)
    place.put(sealed)
    place.write_behind()
    job.fold(records[40:])
    finished(job)
    assert {each.chunk_id for each in sealed} <= place.lasting.keys()
    again = compaction.merge(sorted(place.there.values(), key=lambda e: e.first_offset)[:1])
    assert [codec.read(e.chunk_id, e.payload).gone for e in again] != [[]]


def test_erasing_again_adds_nothing(tmp_path: Path) -> None:
    place = Place()
    job = Job(tmp_path / "p.sqlite", place)
    records = list(payloads())
    job.fold(records)
    finished(job)
    before = dict(place.lasting)
    again = Erasure(site=SITE, visitor=0, until=NOON + 40_500, shard=0)
    job.fold([LogEntry(len(records), NOON, encode(again))])
    finished(job)
    assert {key: place.lasting[key] for key in before} == before


@pytest.mark.parametrize("at_once", [4, 100])
def test_no_byte_of_the_memory_holds_what_was_erased(tmp_path: Path, at_once: int) -> None:
    """A worker keeps the file open meanwhile, so that no end of a connection cleans up for us."""
    mark = "mark" + "0123456789abcdef" * 4
    before = [msgspec.structs.replace(visit(n), path=f"/{mark}{n}") for n in range(0, 36, 3)]
    erasure = Erasure(site=SITE, visitor=0, until=NOON + 40_000, shard=0)
    records = [*before, erasure, *map(visit, range(50, 60))]
    raw = [LogEntry(offset, NOON, encode(record)) for offset, record in enumerate(records)]
    place = Place()
    job = Job(tmp_path / "partition.sqlite", place)
    with PartitionState(job.path):
        job.fold(raw[: len(before)], at_once)
        assert found(tmp_path, [mark]) != {}, "the visit says where it came in"
        job.fold(raw[len(before) :], at_once)
        for _ in range(5):
            job.round()
            place.write_behind()
        assert job.idle()
        assert found(tmp_path, [mark]) == {}
