"""Chunks: what goes in comes out, in pieces that are small enough, under names that follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.job.events import NOON, logs

from analytics.errors import Corrupt
from analytics.event import LogRecord, Row
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import DeadLetter, add
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.store.chunks import arrow, chunk, codec

SOURCES = Sources()


def test_the_columns_are_the_fields_of_a_row() -> None:
    assert arrow.SCHEMA.names == list(Row.__struct_fields__)


@given(logs(), st.integers(1_000, 40_000))
def test_what_goes_in_comes_out_whatever_the_size_of_a_piece(
    records: list[LogRecord], max_bytes: int
) -> None:
    outcome = fold(list(enumerate(records, 5)), PipelineState(SOURCES), set())
    dead = [DeadLetter(5, NOON, "no record", b"\x00\xff")]
    span = chunk.RecordSpan(5, 5 + len(records), outcome.ledger)
    made = codec.pack(2, [span], outcome.rows, dead, max_bytes=max_bytes)
    at = 5
    rows: list[Row] = []
    ledger = dict(outcome.ledger)
    read = [codec.read(each.chunk_id, each.payload) for each in made]
    for each, content in zip(made, read, strict=True):
        assert each.first_offset == at
        at = each.last_offset + 1
        assert all(
            each.first_offset <= row <= each.last_offset
            for row in content.table["log_offset"].to_pylist()
        )
        rows += arrow.to_rows(content.table)
        assert each.rows == content.table.num_rows
        for site, (start, count) in content.directory.items():
            assert set(content.table["site"].to_pylist()[start : start + count]) == {site}
    assert at == span.last + 1
    assert sorted(rows, key=lambda row: row.log_offset) == outcome.rows
    assert [letter for content in read for letter in content.dead] == dead
    total: dict[object, object] = {}
    for content in read:
        total = add(total, content.ledger)  # type: ignore[arg-type, assignment]
    assert total == ledger


@given(logs())
def test_the_same_records_make_the_same_bytes(records: list[LogRecord]) -> None:
    outcome = fold(list(enumerate(records)), PipelineState(SOURCES), set())
    span = chunk.RecordSpan(0, len(records), outcome.ledger)
    assert codec.pack(0, [span], outcome.rows, ()) == codec.pack(0, [span], outcome.rows, ())


def test_names_follow_from_kind_partition_and_offsets() -> None:
    assert (
        chunk.name(chunk.ChunkKind.FRESH, 3, 7, 9) == "fresh-00003-000000000000007-000000000000009"
    )


def test_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(Corrupt, match="chunk x cannot be read"):
        codec.read("x", b"no arrow")
