"""Whatever happens to a memory's file, those who use it meet the program's own errors alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analytics.errors import StoreUnavailable
from analytics.event import Erasure
from analytics.job.partition.erasures import PartitionErasures
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.partition.state_store import PartitionState, SentChunk
from analytics.pipeline.ledger import DeadLetter
from analytics.store.chunks.chunk import Chunk, ChunkKind
from analytics.testing.builders import numbered_hit

HIT = numbered_hit(1)
ERASURE = Erasure(site=HIT.site, until=5, shard=0)
LETTER = DeadLetter(3, 5, "it is garbage", b"?")
CHUNK = Chunk("one", ChunkKind.FRESH, "", 0, 0, 0, 9, 1, 1, b"payload" * 1000)

USES: dict[str, Callable[[PartitionState], object]] = {
    "next_offset": lambda memory: memory.next_offset,
    "advance": lambda memory: memory.advance(8, b"fingerprint"),
    "fingerprint": lambda memory: memory.fingerprint,
    "known": lambda memory: memory.known([HIT]),
    "remember_ids": lambda memory: memory.remember_ids([(HIT.site, HIT.event_id)], 5),
    "visits": lambda memory: memory.visits([HIT]),
    "remember_visits": lambda memory: memory.remember_visits([], 5),
    "end_visits": lambda memory: memory.end_visits(ERASURE),
    "scrub": lambda memory: memory.scrub(),
    "note_dead": lambda memory: memory.note_dead([LETTER]),
    "dead_letters": lambda memory: memory.dead_letters(10),
    "dead_letters_sent": lambda memory: memory.dead_letters_sent([LETTER]),
    "put_out": lambda memory: memory.put_out([CHUNK]),
    "put_out_rewritten": lambda memory: memory.put_out_rewritten([CHUNK]),
    "unsent": lambda memory: memory.unsent(10),
    "kept": lambda memory: memory.kept("", 10),
    "sent": lambda memory: memory.sent([CHUNK], 5),
    "waiting": lambda memory: memory.waiting(10, 10),
    "confirmed": lambda memory: memory.confirmed([SentChunk("one", 1, 5, rewritten=False)]),
    "send_again": lambda memory: memory.send_again(["one"]),
    "drop": lambda memory: memory.drop(["one"]),
    "unconfirmed": lambda memory: memory.unconfirmed(),
    "rewrites": lambda memory: memory.rewrites,
    "outbox_bytes": lambda memory: memory.outbox_bytes,
    "erasures.note": lambda memory: memory.erasures.note(ERASURE),
    "erasures.since": lambda memory: memory.erasures.since(0),
    "erasures.all": lambda memory: memory.erasures.all(),
    "erasures.pending": lambda memory: memory.erasures.pending(),
    "erasures.mark_applied": lambda memory: memory.erasures.mark_applied([1]),
}
CHANGE_NOTHING = {"remember_visits", "scrub"}
"""With nothing to remember, no statement is executed; and a shared file has no log."""


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[PartitionState]:
    """A memory that is open while its disk loses what was written."""
    path = tmp_path / "partition.sqlite"
    with PartitionState(path, shared=True) as memory:
        with memory.transaction():
            memory.advance(7)
            memory.remember_ids([(HIT.site, HIT.event_id)], 5)
            memory.put_out([CHUNK])
            memory.erasures.note(ERASURE)
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(b"\xff" * size)
        yield memory


@pytest.mark.parametrize("name", sorted({*USES} - CHANGE_NOTHING))
def test_every_use_of_a_damaged_memory_says_what_to_look_at(
    name: str, damaged: PartitionState
) -> None:
    with pytest.raises(StoreUnavailable, match="state file cannot be used"):
        USES[name](damaged)


def test_every_use_of_a_memory_is_tried_above() -> None:
    named = {name for name in vars(PartitionState) if not name.startswith("_")}
    named |= {f"erasures.{name}" for name in vars(PartitionErasures) if not name.startswith("_")}
    assert {*USES} == named - {"transaction"}


def test_a_transaction_on_a_damaged_memory_says_so_too(damaged: PartitionState) -> None:
    with pytest.raises(StoreUnavailable, match="state file cannot be used"), damaged.transaction():
        damaged.advance(9)


def test_a_file_that_is_none_of_sqlites_cannot_be_opened(tmp_path: Path) -> None:
    memories = StateDirectory(tmp_path)
    (tmp_path / "partition-00004.sqlite").write_bytes(b"no database at all, but long enough" * 99)
    with pytest.raises(StoreUnavailable, match="state file cannot be used"):
        memories.next_offsets()
    with pytest.raises(StoreUnavailable, match="state file cannot be used"):
        StateDirectory(tmp_path / "nowhere").open(0)


def test_a_row_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    """SQLite computes rows as they are fetched, so a statement may fail in the midst of them."""
    with PartitionState(tmp_path / "p.sqlite") as memory:
        rows = memory._db.execute(
            "SELECT abs(column1) FROM (VALUES (1), (2), (-9223372036854775807 - 1))"
        )
        with pytest.raises(StoreUnavailable, match="integer overflow"):
            list(rows)
