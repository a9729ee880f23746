"""One task of a distributed query: computes the partial answer of one partition.

All rows of a visitor are in one partition, so partial answers can be merged
(`store/duckdb/partials.py`).
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

# Leaves out rows that retention has deleted elsewhere (`store/duckdb/row_erasure.py`).
_LOAD: Final = """
INSERT INTO rows SELECT * FROM read_parquet($file)
WHERE NOT (ts < $since AND (session = 0 OR session_start < $since))
"""


class TimeReach(NamedTuple):
    """When a chunk's rows of one site happened, and when their visits began (UTC ms)."""

    earliest: int
    latest: int


class ChunkFacts(NamedTuple):
    """Facts about a chunk, cached so that it need not be read again for other periods."""

    begins: bool
    """Whether it is the first chunk that its partition ever had."""
    sites: Mapping[str, TimeReach]


class QueryTask(NamedTuple):
    """The input of one task."""

    question: RemoteQuery
    partition: int
    first: str
    """The id of the partition's first chunk, which need not be among *ids*."""
    ids: Sequence[str]
    erasures: Sequence[Erasure]
    """The erasures of the partition that may not have been applied to every chunk yet."""
    ignite: IgniteSettings
    cassandra: CassandraSettings
    memory_mib: int


class TaskResult(NamedTuple):
    """The output of one task."""

    partial: PartialAnswer | None
    """None if there is a fault."""
    known: Mapping[str, ChunkFacts]
    """Facts about the chunks that were read, by id."""
    missing: Sequence[str] = ()
    """Ids of chunks that no longer exist: they may have been merged into another."""
    fault: str = ""


def execute(task: QueryTask) -> TaskResult:
    """Execute *task* in a Spark worker; an error is returned as the result's `fault`."""
    try:
        archive = TieredChunks(IgniteChunks(task.ignite), CassandraChunks(task.cassandra))
        with closing(archive) as source:
            return execute_from(task, source)
    except (AnalyticsError, OSError) as exc:
        return TaskResult(None, {}, fault=str(exc))


def execute_from(task: QueryTask, source: ChunkReader) -> TaskResult:
    """Execute *task* with the chunks that *source* has.

    Raises `StoreUnavailable`, and `Corrupt` if a chunk cannot be read.
    """
    facts: dict[str, ChunkFacts] = {}
    missing: set[str] = set(task.ids)
    with TemporaryDirectory(prefix="analytics-") as name:
        folder = Path(name)
        engine = Engine(folder / "rows.duckdb", f"{task.memory_mib}MiB", 1)
        try:
            connection = engine.connect()
            for start in range(0, len(task.ids), _AT_ONCE):
                chunks = source.read(task.ids[start : start + _AT_ONCE])
                missing.difference_update(each.chunk_id for each in chunks)
                contents = [codec.read(each.chunk_id, each.payload) for each in chunks]
                for each, content in zip(chunks, contents, strict=True):
                    facts[each.chunk_id] = ChunkFacts(content.begins, dict(_reaches(content.table)))
                if contents:
                    _load(connection, task, contents, folder / "loaded.parquet")
            if missing:
                return TaskResult(None, facts, missing=sorted(missing))
            partial = partials.make(
                connection, task.question.asked, folder, kept_since=task.question.kept_since
            )
            return TaskResult(partial, facts)
        finally:
            engine.close()


def _load(
    connection: Connection, task: QueryTask, contents: Sequence[ChunkContent], path: Path
) -> None:
    end = task.question.ends[task.partition]
    table = pa.concat_tables(_of_site(each, task.question.asked.site) for each in contents)
    table = table.filter(pc.less(table["log_offset"], end))
    table = table.filter(pc.invert(chunk_erasure.concerns(table, task.erasures)))
    if table.num_rows:
        arrow.save(table, path)
        connection.run(_LOAD, {"file": str(path), "since": task.question.kept_since})


def _of_site(content: ChunkContent, site: str) -> pa.Table:
    start, count = content.directory.get(site, (0, 0))
    return content.table.slice(start, count)


def _reaches(table: pa.Table) -> Iterator[tuple[str, TimeReach]]:
    """Yield (site, its reach) for each site with rows in *table*."""
    in_visit = pc.not_equal(table["session"], pa.scalar(0, pa.uint64()))
    began = pc.if_else(in_visit, table["session_start"], table["ts"])
    times = pa.table(
        {
            "site": table["site"],
            "first": pc.min_element_wise(table["ts"], began),
            "last": pc.max_element_wise(table["ts"], began),
        }
    )
    reaches = times.group_by("site").aggregate([("first", "min"), ("last", "max")])
    for row in reaches.to_pylist():
        yield row["site"], TimeReach(row["first_min"], row["last_max"])
