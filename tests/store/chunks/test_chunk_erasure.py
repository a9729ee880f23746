"""What an order erases from a chunk is what it erases from a replica's own rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.job.events import DAY, HOUR, NOON, logs

from analytics.event import Erasure, LogRecord, Row
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import LedgerKey, add
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.store.base import Prepared
from analytics.store.chunks import arrow, codec
from analytics.store.chunks.chunk import Chunk, ChunkKind, RecordSpan
from analytics.store.chunks.chunk_erasure import concerns, rewritten
from analytics.store.duckdb import DuckDBStore

SOURCES = Sources()


@st.composite
def orders(draw: st.DrawFn) -> Erasure:
    """A visitor's, a site's, or a day's and all before it."""
    until = NOON + draw(st.integers(0, 200)) * HOUR
    visitor = draw(st.sampled_from([None, 1, 2, (1 << 64) - 1]))
    return Erasure(
        site=draw(st.sampled_from(["a.example", "b.example", "none.example"])),
        until=until,
        visitor=visitor,
        before=until - draw(st.integers(1, 5)) * DAY
        if visitor is None and draw(st.booleans())
        else None,
        shard=0,
    )


def chunk_of(records: list[LogRecord], at_once: int = 4) -> Chunk | None:
    """One chunk, of a span for every few records."""
    state = PipelineState(SOURCES, keep_ms=1 << 50)
    spans: list[RecordSpan] = []
    rows: list[Row] = []
    for start in range(0, len(records), at_once):
        part = list(enumerate(records))[start : start + at_once]
        known = {(row.site, row.event_id) for row in rows}
        outcome = fold(part, state, known)
        rows += outcome.rows
        spans.append(RecordSpan(start, start + len(part) - 1, outcome.ledger))
    if not spans:
        return None
    (one,) = codec.pack(0, spans, rows, (), kind=ChunkKind.SEALED)
    return one


def balance(one: Chunk) -> dict[LedgerKey, int]:
    """What the ledger says is stored, less what was erased: by key."""
    ledger = codec.read(one.chunk_id, one.payload).ledger
    left = {key: line.stored - line.erased for key, line in ledger.items()}
    return {key: rows for key, rows in left.items() if rows}


def counted(one: Chunk) -> dict[LedgerKey, int]:
    rows = arrow.to_rows(codec.read(one.chunk_id, one.payload).table)
    found: dict[LedgerKey, int] = {}
    for row in rows:
        key = LedgerKey(row.site, row.received_at - row.received_at % HOUR)
        found[key] = found.get(key, 0) + 1
    return found


@given(logs(), st.lists(orders(), max_size=4))
def test_a_rewritten_chunk_is_of_the_same_records_and_balances(
    records: list[LogRecord], given_: list[Erasure]
) -> None:
    one = chunk_of(records)
    if one is None:
        return
    new = rewritten(one, given_)
    if new is None:
        return
    assert new.chunk_id == one.chunk_id
    assert new.rows < one.rows, "by which the two are told apart"
    before, after = (codec.read(each.chunk_id, each.payload) for each in (one, new))
    assert [span[:2] for span in after.spans] == [span[:2] for span in before.spans]
    assert balance(new) == counted(new)
    for span in after.spans:  # so does each part that a reader may take alone
        rows = [r for r in arrow.to_rows(after.table) if span.first <= r.log_offset <= span.last]
        assert sum(line.stored - line.erased for line in span.ledger.values()) == len(rows)
    assert rewritten(new, given_) is None
    ids = {
        each.ids[at : at + 16].hex() for each in after.gone for at in range(0, len(each.ids), 16)
    }
    newest = max(each.until for each in given_)
    gone = [row for row in arrow.to_rows(before.table) if row not in arrow.to_rows(after.table)]
    assert ids == {
        row.event_id.replace("-", "") for row in gone if row.received_at >= newest - 3 * DAY
    }


@given(logs(), st.lists(orders(), min_size=2, max_size=4))
def test_orders_may_be_obeyed_one_by_one_in_any_order(
    records: list[LogRecord], given_: list[Erasure]
) -> None:
    one = chunk_of(records)
    if one is None:
        return
    at_once = rewritten(one, given_) or one
    for sequence in (given_, given_[::-1]):
        step = one
        for each in sequence:
            step = rewritten(step, [each]) or step
        content, whole = (codec.read(e.chunk_id, e.payload) for e in (step, at_once))
        assert content.table == whole.table
        assert content.spans == whole.spans


@pytest.mark.timeout(300)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(logs(), st.lists(orders(), min_size=1, max_size=3))
async def test_a_store_that_obeys_has_the_rows_of_the_rewritten_chunk(
    tmp_path: Path, records: list[LogRecord], given_: list[Erasure]
) -> None:
    one = chunk_of(records)
    if one is None:
        return
    content = codec.read(one.chunk_id, one.payload)
    path, file = tmp_path / "store.duckdb", tmp_path / "rows.parquet"
    path.unlink(missing_ok=True)
    arrow.save(content.table, file)
    async with DuckDBStore(path) as store:
        prepared = Prepared(
            rows=file if content.table.num_rows else None,
            earliest=arrow.earliest(content.table),
            ledger=content.ledger,
            dead=(),
            partition=0,
            next_offset=len(records),
            erasures=given_,
        )
        await store.absorb(prepared)
        again = Prepared(None, {}, {}, (), 0, len(records), given_)
        await store.absorb(again)
        new = rewritten(one, given_) or one
        assert await store.ledger() == add(codec.read("", new.payload).ledger, {})
        assert await store.recount() == counted(new)


def test_rows_of_others_are_not_concerned() -> None:
    table = arrow.to_table([])
    assert concerns(table, [Erasure(site="a.example", until=NOON, shard=0)]).to_pylist() == []
