"""During an upgrade, processes of two versions read what each other writes."""

from __future__ import annotations

from typing import Final

import msgspec
import pyarrow as pa
import pytest

from analytics.errors import Corrupt
from analytics.event import Drop, DropReason, Erasure, Hit, LogRecord
from analytics.pipeline.fold import fold
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Metric, Period, Query, Result, ResultRow
from analytics.registry import Replica
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import RecordSpan
from analytics.store.replica.remote_query import RemoteQuery
from analytics.stream import record


class OldAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """The members of version 0.1.0, with its types; those below likewise."""

    hostname: str = ""
    path: str = ""
    title: str = ""
    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_content: str = ""
    utm_term: str = ""
    click_id: str = ""
    country: str = ""
    region: str = ""
    city: str = ""
    device: str = ""
    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    screen: str = ""
    language: str = ""


class OldHit(OldAttributes, frozen=True, kw_only=True, tag="hit"):
    event_id: str
    site: str
    ts: int
    received_at: int
    visitor: int
    name: str = "pageview"
    props: dict[str, str] = {}
    revenue: str | None = None
    currency: str = ""
    scroll_depth: int | None = None
    engaged_ms: int = 0
    interactive: bool = True
    bot: str | None = None
    skew_ms: int = 0


class OldDrop(msgspec.Struct, frozen=True, kw_only=True, tag="drop"):
    site: str
    received_at: int
    reason: str


class OldErasure(msgspec.Struct, frozen=True, kw_only=True, tag="erasure"):
    site: str
    until: int
    visitor: int | None = None
    before: int | None = None
    shard: int


OLD: Final = msgspec.msgpack.Decoder(OldHit | OldDrop | OldErasure)
COMMON: Final = {
    "event_id": "0192f3a4-0000-7000-8000-000000000001",
    "site": "shop.example",
    "ts": 5,
    "received_at": 7,
    "visitor": 2**64 - 1,
    "name": "signup",
    "props": {"plan": "pro"},
    "revenue": "12.50",
    "currency": "EUR",
    "scroll_depth": 90,
    "engaged_ms": 1200,
    "interactive": False,
    "bot": "crawler",
    "skew_ms": 3,
    "path": "/thanks",
    "language": "de",
}
PAIRS: Final = [
    (OldHit(**COMMON), Hit(**COMMON)),  # type: ignore[arg-type]  # one dict for both
    (
        OldErasure(site="shop.example", until=9, visitor=4, before=3, shard=1),
        Erasure(site="shop.example", until=9, visitor=4, before=3, shard=1),
    ),
    (
        OldDrop(site="shop.example", received_at=7, reason="shield-ip"),
        Drop(site="shop.example", received_at=7, reason=DropReason.SHIELD_IP),
    ),
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_records_of_version_0_1_and_of_this_one_are_read_by_each_other(
    old: msgspec.Struct, new: LogRecord
) -> None:
    assert OLD.decode(record.encode(new)) == old
    assert record.decode(msgspec.msgpack.encode(old)) == new


def later(value: object, **more: object) -> bytes:
    """Return *value* as a later version may write it, with further members."""
    return msgspec.msgpack.encode({**msgspec.to_builtins(value), **more})


@pytest.mark.parametrize("new", [new for _, new in PAIRS])
def test_a_member_of_a_later_version_is_left_out(new: LogRecord) -> None:
    assert record.decode(later(new, consent="given", weather=["rain"])) == new


def test_a_reason_of_a_later_version_is_kept_as_it_is_and_counted() -> None:
    sent = later(PAIRS[2][1], reason="moon-phase")
    drop = record.decode(sent)
    assert isinstance(drop, Drop)
    assert drop.reason == "moon-phase"
    outcome = fold([(0, drop)], PipelineState(Sources()), set())
    ((key, line),) = outcome.ledger.items()
    assert (key.site, line.dropped) == ("shop.example", {"moon-phase": 1})


def test_a_record_of_a_kind_that_a_later_version_writes_is_kept_as_it_came() -> None:
    """As a dead letter: nobody can say what it means, and the later version reads it again."""
    with pytest.raises(Corrupt, match="not a log record"):
        record.decode(later(PAIRS[0][1], type="consent"))


def test_a_chunk_takes_further_columns_and_members() -> None:
    outcome = fold([(0, PAIRS[0][1])], PipelineState(Sources()), set())
    (chunk,) = codec.pack(0, [RecordSpan(0, 0, outcome.ledger)], outcome.rows, [])
    with pa.ipc.open_stream(chunk.payload) as reader:
        table = reader.read_all()
    header = msgspec.msgpack.decode(table.schema.metadata[b"analytics"])
    wider = table.append_column("mood", pa.array(["good"])).replace_schema_metadata(
        {b"analytics": msgspec.msgpack.encode([*header, "more"])}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, wider.schema) as writer:
        writer.write_table(wider)
    ours, theirs = (
        codec.read("c", payload) for payload in (chunk.payload, sink.getvalue().to_pybytes())
    )
    assert theirs.table.equals(ours.table)
    assert theirs[1:] == ours[1:]


def test_questions_and_answers_between_replicas_and_the_job_take_further_members() -> None:
    query = Query(
        site="shop.example", metrics=(Metric.VISITORS,), period=Period(0, 86_400_000, "Etc/UTC")
    )
    asked = RemoteQuery(query=query, ends={0: 1}, kept_since=0)
    assert msgspec.msgpack.decode(later(asked, hurry=True), type=RemoteQuery) == asked
    result = Result(rows=(ResultRow((), (1,)),))
    assert msgspec.msgpack.decode(later(result, cost=3), type=Result) == result


def test_the_list_of_replicas_takes_further_members() -> None:
    replica = Replica(address="10.0.0.1:8000", modules=("ingest",), version="0.2.0", started_at=1)
    sent = msgspec.json.encode({**msgspec.to_builtins(replica), "zone": "b"})
    assert msgspec.json.decode(sent, type=Replica) == replica
