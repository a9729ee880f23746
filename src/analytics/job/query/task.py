"""A share of a question: what one partition's chunks come to, wherever Spark has it reckoned.

All rows of a visitor are in one partition, so the shares add up (`store/duckdb/partials.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from analytics.errors import AnalyticsError
from analytics.event import Erasure
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.chunks import arrow, chunk_erasure, codec
from analytics.store.chunks.base import ChunkReader
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.chunk import ChunkContent
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.store.connection import Connection
from analytics.store.duckdb import partials
from analytics.store.duckdb.engine import Engine
from analytics.store.duckdb.partials import PartialAnswer
from analytics.store.replica.remote_query import RemoteQuery

_AT_ONCE: Final = 16

# What retention has deleted elsewhere (`store/duckdb/row_erasure.py`) counts here as little.
_TAKE: Final = """
INSERT INTO rows SELECT * FROM read_parquet($file)
WHERE NOT (ts < $since AND (session = 0 OR session_start < $since))
"""


class TimeReach(NamedTuple):
    """When a chunk's rows of one site happened, and when their visits began (UTC ms)."""

    earliest: int
    latest: int


class ChunkFacts(NamedTuple):
    """What need not be read twice of a chunk."""

    begins: bool
    """Whether nothing was ever folded before it."""
    sites: Mapping[str, TimeReach]


class QueryTask(NamedTuple):
    """What one task is to reckon."""

    question: RemoteQuery
    partition: int
    first: str
    """The id of the partition's first chunk, read or not."""
    ids: Sequence[str]
    erasures: Sequence[Erasure]
    """Orders of the partition that may not have reached every chunk yet."""
    ignite: IgniteSettings
    cassandra: CassandraSettings
    memory_mib: int


class TaskResult(NamedTuple):
    """What came of it."""

    partial: PartialAnswer | None
    """None when there is a fault."""
    known: Mapping[str, ChunkFacts]
    """Of the chunks that were read."""
    missing: Sequence[str] = ()
    """Chunks that were nowhere: they may have become part of another meanwhile."""
    fault: str = ""


def execute(share: QueryTask) -> TaskResult:
    """Answer *share* in a worker of Spark's. A fault comes back as a sentence."""
    try:
        archive = TieredChunks(IgniteChunks(share.ignite), CassandraChunks(share.cassandra))
        with closing(archive) as source:
            return execute_from(share, source)
    except (AnalyticsError, OSError) as exc:
        return TaskResult(None, {}, fault=str(exc))


def execute_from(share: QueryTask, source: ChunkReader) -> TaskResult:
    """Answer *share* from what *source* has."""
    known: dict[str, ChunkFacts] = {}
    missing: set[str] = set(share.ids)
    with TemporaryDirectory(prefix="analytics-") as name:
        folder = Path(name)
        engine = Engine(folder / "rows.duckdb", f"{share.memory_mib}MiB", 1)
        try:
            connection = engine.connect()
            for start in range(0, len(share.ids), _AT_ONCE):
                chunks = source.read(share.ids[start : start + _AT_ONCE])
                missing.difference_update(each.chunk_id for each in chunks)
                contents = [codec.read(each.chunk_id, each.payload) for each in chunks]
                for each, content in zip(chunks, contents, strict=True):
                    known[each.chunk_id] = ChunkFacts(content.begins, dict(_reaches(content.table)))
                if contents:
                    _take(connection, share, contents, folder / "taken.parquet")
            if missing:
                return TaskResult(None, known, missing=sorted(missing))
            return TaskResult(partials.make(connection, share.question.query, folder), known)
        finally:
            engine.close()


def _take(
    connection: Connection, share: QueryTask, contents: Sequence[ChunkContent], path: Path
) -> None:
    end = share.question.ends[share.partition]
    table = pa.concat_tables(_of_site(each, share.question.query.site) for each in contents)
    table = table.filter(pc.less(table["log_offset"], end))
    table = table.filter(pc.invert(chunk_erasure.concerns(table, share.erasures)))
    if table.num_rows:
        arrow.save(table, path)
        connection.run(_TAKE, {"file": str(path), "since": share.question.kept_since})


def _of_site(content: ChunkContent, site: str) -> pa.Table:
    start, count = content.directory.get(site, (0, 0))
    return content.table.slice(start, count)


def _reaches(table: pa.Table) -> Iterator[tuple[str, TimeReach]]:
    """For each site, from when to when its rows reach."""
    in_visit = pc.not_equal(table["session"], pa.scalar(0, pa.uint64()))
    began = pc.if_else(in_visit, table["session_start"], table["ts"])
    times = pa.table(
        {
            "site": table["site"],
            "first": pc.min_element_wise(table["ts"], began),
            "last": pc.max_element_wise(table["ts"], began),
        }
    )
    found = times.group_by("site").aggregate([("first", "min"), ("last", "max")])
    for row in found.to_pylist():
        yield row["site"], TimeReach(row["first_min"], row["last_max"])
