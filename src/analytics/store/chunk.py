"""A chunk: consecutive records of one partition, folded, as an immutable columnar blob.

The payload is an Arrow IPC stream (zstd) of rows, sorted by (site, ts), whose schema carries
what else became of those records: the ledger lines of each span of offsets, the dead letters,
the orders to erase, and a directory from site to the range of its rows. A chunk's id follows from
its kind, its partition and its offsets alone, so that who folds the same records again writes the
same key. It changes in one way only: rows are erased from it (`analytics.store.rewriting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import astuple

from analytics.errors import Corrupt
from analytics.event import Erasure, Row
from analytics.pipeline.ledger import HOUR_MS, DeadLetter, LedgerKey, LedgerLine, add

SCHEMA_VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 1 << 20
"""What a blob of Cassandra should stay below."""

_METADATA: Final = b"analytics"
_TEXT: Final = pa.string()
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(Row.__struct_fields__, _TEXT),
    **dict.fromkeys(("ts", "received_at", "engaged_ms", "skew_ms", "log_offset"), pa.int64()),
    **dict.fromkeys(("session_start", "gap_ms"), pa.int64()),
    **dict.fromkeys(("visitor", "session"), pa.uint64()),
    **dict.fromkeys(("opens", "engages"), pa.int8()),
    "scroll_depth": pa.int16(),
    "interactive": pa.bool_(),
    "props": pa.map_(_TEXT, _TEXT),
}
SCHEMA: Final = pa.schema(list(_TYPES.items()))
_PROPS: Final = SCHEMA.get_field_index("props")


class Kind(StrEnum):
    """What a chunk is made for."""

    FRESH = "fresh"
    """One batch of the stream."""
    SEALED = "sealed"
    """Neighbours made one, after their hour."""


class Span(NamedTuple):
    """What became of the records [first, last] of the chunk's partition."""

    first: int
    last: int
    ledger: Mapping[LedgerKey, LedgerLine]


class Ordered(NamedTuple):
    """An order to erase, and where it lies in the log."""

    offset: int
    erasure: Erasure


class Gone(NamedTuple):
    """Ids of rows that were erased: a copy that comes late is a duplicate as ever."""

    site: str
    day: int
    """The UTC day in which they were received, counted from 1970."""
    ids: bytes
    """16 bytes each."""


class Content(NamedTuple):
    """What a chunk says of its records."""

    table: pa.Table
    """The stored rows."""
    spans: Sequence[Span]
    dead: Sequence[DeadLetter]
    directory: Mapping[str, tuple[int, int]]
    """For each site, where its rows begin in the table, and how many there are."""
    begins: bool = False
    """Whether nothing was ever folded before it."""
    orders: Sequence[Ordered] = ()
    gone: Sequence[Gone] = ()

    @property
    def ledger(self) -> dict[LedgerKey, LedgerLine]:
        """The ledger of all spans."""
        total: dict[LedgerKey, LedgerLine] = {}
        for span in self.spans:
            total = add(total, span.ledger)
        return total


class Chunk(NamedTuple):
    """A chunk as it is shared, with what can be asked of it unread."""

    chunk_id: str
    kind: Kind
    site: str
    """Whose rows it holds; "" for all sites'."""
    hour: int
    """The UTC hour (milliseconds) in which its first record was received."""
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    version: int
    payload: bytes


class Head(NamedTuple):
    """What an index knows of a chunk, unread."""

    chunk_id: str
    kind: Kind
    site: str
    hour: int
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    version: int


class Extent(Protocol):
    """The records that a chunk is about, whatever else is known of it."""

    @property
    def first_offset(self) -> int: ...
    @property
    def last_offset(self) -> int: ...


_Extent = TypeVar("_Extent", bound=Extent)


class _Line(msgspec.Struct, array_like=True):
    site: str
    hour: int
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    dead: int
    erased: int


class _Header(msgspec.Struct, array_like=True):
    spans: list[tuple[int, int, list[_Line]]]
    dead: list[tuple[int, int, str, bytes]]
    directory: dict[str, tuple[int, int]]
    begins: bool = False
    orders: list[tuple[int, Erasure]] = []
    gone: list[tuple[str, int, bytes]] = []


_decoder: Final = msgspec.msgpack.Decoder(_Header)


def pack(
    partition: int,
    spans: Sequence[Span],
    rows: Sequence[Row] | pa.Table,
    dead: Sequence[DeadLetter],
    *,
    kind: Kind = Kind.FRESH,
    begins: bool = False,
    max_bytes: int = MAX_PAYLOAD_BYTES,
) -> list[Chunk]:
    """The chunks of the records that *spans* (neighbours, in order) are about."""
    table = rows if isinstance(rows, pa.Table) else to_table(rows)
    content = Content(table, spans, dead, {}, begins)
    return chunks_of(partition, content, kind=kind, max_bytes=max_bytes)


def chunks_of(
    partition: int,
    content: Content,
    *,
    kind: Kind = Kind.FRESH,
    max_bytes: int = MAX_PAYLOAD_BYTES,
) -> list[Chunk]:
    """The chunks that say *content*, whose directory is made anew.

    One, unless it would be larger than *max_bytes*: then it is cut in halves at an offset.
    """
    whole = _pack(partition, content, kind)
    if len(whole.payload) <= max_bytes:
        return [whole]
    offsets = sorted(
        [*content.table["log_offset"].to_pylist(), *(letter.offset for letter in content.dead)]
    )
    cut = offsets[len(offsets) // 2]
    if len(offsets) < 2 or cut == offsets[0]:
        return [whole]
    return [
        each
        for half in _halves(content, cut)
        for each in chunks_of(partition, half, kind=kind, max_bytes=max_bytes)
    ]


def repack(chunk: Chunk, content: Content) -> Chunk:
    """*chunk*, of the same records, with *content* in the place of what it had."""
    return _pack(chunk.partition, content, chunk.kind)


def read(chunk_id: str, payload: bytes) -> Content:
    """What the chunk says. Raises `Corrupt` when it is no chunk of ours."""
    try:
        with pa.ipc.open_stream(payload) as reader:
            table = reader.read_all()
        header = _decoder.decode((table.schema.metadata or {})[_METADATA])
    except (pa.ArrowException, OSError, KeyError, msgspec.DecodeError) as exc:
        raise Corrupt(f"chunk {chunk_id} cannot be read: {exc}") from exc
    return Content(
        table=table.replace_schema_metadata(None),
        spans=[Span(first, last, _ledger(lines)) for first, last, lines in header.spans],
        dead=[DeadLetter(*letter) for letter in header.dead],
        directory=header.directory,
        begins=header.begins,
        orders=[Ordered(*order) for order in header.orders],
        gone=[Gone(*each) for each in header.gone],
    )


def name(kind: Kind, partition: int, first: int, last: int) -> str:
    """The id of the chunk of these records."""
    return f"{kind.value}-{partition:05d}-{first:015d}-{last:015d}"


def to_table(rows: Sequence[Row]) -> pa.Table:
    """*rows* by column."""
    if not rows:
        return SCHEMA.empty_table()
    columns: list[Sequence[Any]] = list(zip(*map(astuple, rows), strict=True))
    columns[_PROPS] = [list(props.items()) for props in columns[_PROPS]]
    arrays = [
        pa.array(values, type=kind) for values, kind in zip(columns, _TYPES.values(), strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def to_rows(table: pa.Table) -> list[Row]:
    """The rows of *table*, in its order."""
    columns = [column.to_pylist() for column in table.columns]
    columns[_PROPS] = [dict(props) for props in columns[_PROPS]]
    return [Row(*values) for values in zip(*columns, strict=True)]


def save(table: pa.Table, path: Path) -> None:
    """Write *table* as Parquet, which the query engine reads faster than anything else."""
    pq.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)


def earliest(table: pa.Table) -> dict[str, int]:
    """For each site, the earliest moment whose figures the rows of *table* change.

    As `writing.touched`, which has rows for it.
    """
    table = table.filter(pc.is_null(table["bot"]))
    moment = pc.if_else(
        pc.not_equal(table["session"], pa.scalar(0, pa.uint64())),
        pc.min_element_wise(table["ts"], table["session_start"]),
        table["ts"],
    )
    found = pa.table({"site": table["site"], "moment": moment}).group_by("site")
    return {
        site.as_py(): at.as_py()
        for site, at in zip(*found.aggregate([("moment", "min")]).columns, strict=True)
    }


def chain(chunks: Iterable[_Extent], at: int | None) -> list[_Extent]:
    """Of *chunks*, in the order of their first offsets, those to read from *at* on, without gap.

    Of several that begin at one offset the longest: the others are parts of it. With *at* None,
    from the first one on.
    """
    found: list[_Extent] = []
    for each in sorted(chunks, key=lambda each: (each.first_offset, -each.last_offset)):
        if at is None or each.first_offset == at:
            found.append(each)
            at = each.last_offset + 1
        elif each.first_offset > at:
            break
    return found


def since(content: Content, offset: int) -> Content:
    """What *content* says of the records from *offset* on, where one of its spans begins."""
    table = content.table.filter(pc.greater_equal(content.table["log_offset"], offset))
    return Content(
        table,
        [span for span in content.spans if span.first >= offset],
        [letter for letter in content.dead if letter.offset >= offset],
        _directory(table["site"].to_pylist()),
        content.begins,
        [order for order in content.orders if order.offset >= offset],
        content.gone,
    )


def _halves(content: Content, cut: int) -> tuple[Content, Content]:
    before, behind = _cut(content.spans, cut)
    early = pc.less(content.table["log_offset"], cut)
    return (
        Content(
            content.table.filter(early),
            before,
            [letter for letter in content.dead if letter.offset < cut],
            {},
            content.begins,
            [order for order in content.orders if order.offset < cut],
            content.gone,
        ),
        Content(
            content.table.filter(pc.invert(early)),
            behind,
            [letter for letter in content.dead if letter.offset >= cut],
            {},
            orders=[order for order in content.orders if order.offset >= cut],
        ),
    )


def _pack(partition: int, content: Content, kind: Kind) -> Chunk:
    spans = content.spans
    table = content.table.sort_by(
        [("site", "ascending"), ("ts", "ascending"), ("log_offset", "ascending")]
    )
    header = _Header(
        [(span.first, span.last, _lines(span.ledger)) for span in spans],
        [(each.offset, each.received_at, each.reason, each.payload) for each in content.dead],
        _directory(table["site"].to_pylist()),
        content.begins,
        [(order.offset, order.erasure) for order in content.orders],
        [(each.site, each.day, each.ids) for each in content.gone],
    )
    # One batch, so that each buffer is compressed once and as a whole.
    table = table.combine_chunks().replace_schema_metadata(
        {_METADATA: msgspec.msgpack.encode(header)}
    )
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    first, last = spans[0].first, spans[-1].last
    return Chunk(
        chunk_id=name(kind, partition, first, last),
        kind=kind,
        site="",
        hour=min((key.hour for span in spans for key in span.ledger), default=0),
        partition=partition,
        first_offset=first,
        last_offset=last,
        rows=table.num_rows,
        version=SCHEMA_VERSION,
        payload=sink.getvalue().to_pybytes(),
    )


def _cut(spans: Sequence[Span], at: int) -> tuple[list[Span], list[Span]]:
    """The spans before offset *at*, and those from it on; one it lies in keeps its ledger first."""
    before = [span for span in spans if span.last < at]
    behind = [span for span in spans if span.first >= at]
    for span in spans:
        if span.first < at <= span.last:
            before.append(Span(span.first, at - 1, span.ledger))
            behind.insert(0, Span(at, span.last, {}))
    return before, behind


def _directory(sites: Iterable[str]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for index, site in enumerate(sites):
        start, count = found.get(site, (index, 0))
        found[site] = (start, count + 1)
    return found


def _lines(ledger: Mapping[LedgerKey, LedgerLine]) -> list[_Line]:
    return [
        _Line(
            key.site,
            key.hour,
            line.received,
            line.stored,
            line.duplicate,
            dict(line.dropped),
            line.dead,
            line.erased,
        )
        for key, line in sorted(ledger.items())
    ]


def _ledger(lines: Iterable[_Line]) -> dict[LedgerKey, LedgerLine]:
    return {
        LedgerKey(line.site, line.hour): LedgerLine(
            line.received, line.stored, line.duplicate, line.dropped, line.dead, line.erased
        )
        for line in lines
    }


__all__ = [
    "HOUR_MS",
    "MAX_PAYLOAD_BYTES",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Chunk",
    "Content",
    "Extent",
    "Gone",
    "Head",
    "Kind",
    "Ordered",
    "Span",
    "chain",
    "chunks_of",
    "earliest",
    "name",
    "pack",
    "read",
    "repack",
    "save",
    "since",
    "to_rows",
    "to_table",
]
