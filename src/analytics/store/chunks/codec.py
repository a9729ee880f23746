"""Encodes and decodes the payload of chunks.

The payload is an Arrow IPC stream (zstd) of rows, sorted by (site, ts, log_offset). Its schema's
metadata have the rest as MessagePack: the ledger lines of each span of offsets, the dead letters,
the erasures, the ids of erased rows, and a directory from site to the range of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from analytics.errors import UNDECODABLE, Corrupt
from analytics.event import Erasure, Row
from analytics.pipeline.erasure import Ordered
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine
from analytics.store.chunks import arrow
from analytics.store.chunks.chunk import Chunk, ChunkContent, ChunkKind, ErasedIds, RecordSpan, name

SCHEMA_VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 1 << 20
"""Cassandra's recommended bound for a blob."""
_METADATA: Final = b"analytics"


class _ChunkLine(msgspec.Struct, array_like=True):
    site: str
    hour: int
    received: int
    stored: int
    duplicate: int
    dropped: dict[str, int]
    dead: int
    erased: int


class _Header(msgspec.Struct, array_like=True):
    spans: list[tuple[int, int, list[_ChunkLine]]]
    dead: list[tuple[int, int, str, bytes]]
    directory: dict[str, tuple[int, int]]
    begins: bool = False
    orders: list[tuple[int, Erasure]] = []
    gone: list[tuple[str, int, bytes]] = []


_decoder: Final = msgspec.msgpack.Decoder(_Header)


def pack(
    partition: int,
    spans: Sequence[RecordSpan],
    rows: Sequence[Row] | pa.Table,
    dead: Sequence[DeadLetter],
    *,
    kind: ChunkKind = ChunkKind.FRESH,
    begins: bool = False,
    max_bytes: int = MAX_PAYLOAD_BYTES,
) -> list[Chunk]:
    """Encode the chunks of the records in *spans*, which are adjacent and in offset order.

    See `chunks_of` for *max_bytes*.
    """
    table = rows if isinstance(rows, pa.Table) else arrow.to_table(rows)
    content = ChunkContent(table, spans, dead, {}, begins)
    return chunks_of(partition, content, kind=kind, max_bytes=max_bytes)


def chunks_of(
    partition: int,
    content: ChunkContent,
    *,
    kind: ChunkKind = ChunkKind.FRESH,
    max_bytes: int = MAX_PAYLOAD_BYTES,
) -> list[Chunk]:
    """Encode *content* as one chunk, or as several if its payload would exceed *max_bytes*.

    A chunk that is too large is halved at an offset, repeatedly; one of a single record may exceed
    the bound. The directory is computed anew.
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


def repack(chunk: Chunk, content: ChunkContent) -> Chunk:
    """Return *chunk* with its payload replaced by *content*, which is of the same records."""
    return _pack(chunk.partition, content, chunk.kind)


def read(chunk_id: str, payload: bytes) -> ChunkContent:
    """Decode *payload*. Raises `Corrupt`, naming *chunk_id*, if it is not valid."""
    try:
        with pa.ipc.open_stream(payload) as reader:
            # Without the columns of a later version; rows keep their order of columns.
            table = reader.read_all().select(arrow.SCHEMA.names)
        header = _decoder.decode((table.schema.metadata or {})[_METADATA])
    except (pa.ArrowException, OSError, KeyError, *UNDECODABLE) as exc:
        raise Corrupt(f"chunk {chunk_id} cannot be read: {exc}") from exc
    return ChunkContent(
        table=table.replace_schema_metadata(None),
        spans=[RecordSpan(first, last, _ledger(lines)) for first, last, lines in header.spans],
        dead=[DeadLetter(*letter) for letter in header.dead],
        directory=header.directory,
        begins=header.begins,
        orders=[Ordered(*order) for order in header.orders],
        gone=[ErasedIds(*each) for each in header.gone],
    )


def since(content: ChunkContent, offset: int) -> ChunkContent:
    """Return the part of *content* from *offset* on; a span must begin at *offset*."""
    table = content.table.filter(pc.greater_equal(content.table["log_offset"], offset))
    return ChunkContent(
        table,
        [span for span in content.spans if span.first >= offset],
        [letter for letter in content.dead if letter.offset >= offset],
        _directory(table["site"].to_pylist()),
        content.begins,
        [order for order in content.orders if order.offset >= offset],
        content.gone,
    )


def _halves(content: ChunkContent, cut: int) -> tuple[ChunkContent, ChunkContent]:
    before, behind = _cut(content.spans, cut)
    early = pc.less(content.table["log_offset"], cut)
    return (
        ChunkContent(
            content.table.filter(early),
            before,
            [letter for letter in content.dead if letter.offset < cut],
            {},
            content.begins,
            [order for order in content.orders if order.offset < cut],
            content.gone,
        ),
        ChunkContent(
            content.table.filter(pc.invert(early)),
            behind,
            [letter for letter in content.dead if letter.offset >= cut],
            {},
            orders=[order for order in content.orders if order.offset >= cut],
        ),
    )


def _pack(partition: int, content: ChunkContent, kind: ChunkKind) -> Chunk:
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
    # A single record batch compresses best.
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


def _cut(spans: Sequence[RecordSpan], at: int) -> tuple[list[RecordSpan], list[RecordSpan]]:
    """Split *spans* at offset *at*; a span that is cut keeps its ledger in the first half."""
    before = [span for span in spans if span.last < at]
    behind = [span for span in spans if span.first >= at]
    for span in spans:
        if span.first < at <= span.last:
            before.append(RecordSpan(span.first, at - 1, span.ledger))
            behind.insert(0, RecordSpan(at, span.last, {}))
    return before, behind


def _directory(sites: Iterable[str]) -> dict[str, tuple[int, int]]:
    directory: dict[str, tuple[int, int]] = {}
    for index, site in enumerate(sites):
        start, count = directory.get(site, (index, 0))
        directory[site] = (start, count + 1)
    return directory


def _lines(ledger: Mapping[LedgerKey, LedgerLine]) -> list[_ChunkLine]:
    return [
        _ChunkLine(
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


def _ledger(lines: Iterable[_ChunkLine]) -> dict[LedgerKey, LedgerLine]:
    return {
        LedgerKey(line.site, line.hour): LedgerLine(
            line.received, line.stored, line.duplicate, line.dropped, line.dead, line.erased
        )
        for line in lines
    }
