"""A share of a question: what one partition's chunks come to, wherever Spark has it reckoned.

All rows of a visitor are in one partition, so the shares add up (`store/partials.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from analytics.errors import AnalyticsError
from analytics.event import Erasure
from analytics.settings import Cassandra, Ignite
from analytics.store import arrow, packing, partials, rewriting
from analytics.store.archive import Archive
from analytics.store.cassandra import KeptChunks
from analytics.store.chunk import Chunk, Content
from analytics.store.connection import Connection
from analytics.store.duckdb.engine import Engine
from analytics.store.ignite.chunks import ChunkStore
from analytics.store.partials import Partial
from analytics.store.question import Question

_AT_ONCE: Final = 16

# What retention has deleted elsewhere (`store/erasing.py`) counts here as little.
_TAKE: Final = """
INSERT INTO rows SELECT * FROM read_parquet($file)
WHERE NOT (ts < $since AND (session = 0 OR session_start < $since))
"""


class Reach(NamedTuple):
    """When a chunk's rows of one site happened, and when their visits began (UTC ms)."""

    earliest: int
    latest: int


class Known(NamedTuple):
    """What need not be read twice of a chunk."""

    begins: bool
    """Whether nothing was ever folded before it."""
    sites: Mapping[str, Reach]


class Share(NamedTuple):
    """What one task is to reckon."""

    question: Question
    partition: int
    first: str
    """The id of the partition's first chunk, read or not."""
    ids: Sequence[str]
    erasures: Sequence[Erasure]
    """Orders of the partition that may not have reached every chunk yet."""
    ignite: Ignite
    cassandra: Cassandra
    memory_mib: int


class Reckoned(NamedTuple):
    """What came of it."""

    partial: Partial | None
    """None when there is a fault."""
    known: Mapping[str, Known]
    """Of the chunks that were read."""
    missing: Sequence[str] = ()
    """Chunks that were nowhere: they may have become part of another meanwhile."""
    fault: str = ""


class Source(Protocol):
    """Where chunks are read by their ids."""

    def fetch(self, ids: Sequence[str]) -> Sequence[Chunk]:
        """Those that there are, in the order of their offsets."""


def reckon(share: Share) -> Reckoned:
    """Answer *share* in a worker of Spark's. A fault comes back as a sentence."""
    try:
        archive = Archive(ChunkStore(share.ignite), KeptChunks(share.cassandra))
        with closing(archive) as source:
            return reckoned(share, source)
    except (AnalyticsError, OSError) as exc:
        return Reckoned(None, {}, fault=str(exc))


def reckoned(share: Share, source: Source) -> Reckoned:
    """Answer *share* from what *source* has."""
    known: dict[str, Known] = {}
    missing: set[str] = set(share.ids)
    with TemporaryDirectory(prefix="analytics-") as name:
        folder = Path(name)
        engine = Engine(folder / "rows.duckdb", f"{share.memory_mib}MiB", 1)
        try:
            connection = engine.connect()
            for start in range(0, len(share.ids), _AT_ONCE):
                chunks = source.fetch(share.ids[start : start + _AT_ONCE])
                missing.difference_update(each.chunk_id for each in chunks)
                contents = [packing.read(each.chunk_id, each.payload) for each in chunks]
                for each, content in zip(chunks, contents, strict=True):
                    known[each.chunk_id] = Known(content.begins, dict(_reaches(content.table)))
                if contents:
                    _take(connection, share, contents, folder / "taken.parquet")
            if missing:
                return Reckoned(None, known, missing=sorted(missing))
            return Reckoned(partials.make(connection, share.question.query, folder), known)
        finally:
            engine.close()


def _take(connection: Connection, share: Share, contents: Sequence[Content], path: Path) -> None:
    end = share.question.ends[share.partition]
    table = pa.concat_tables(_of_site(each, share.question.query.site) for each in contents)
    table = table.filter(pc.less(table["log_offset"], end))
    table = table.filter(pc.invert(rewriting.concerns(table, share.erasures)))
    if table.num_rows:
        arrow.save(table, path)
        connection.run(_TAKE, {"file": str(path), "since": share.question.kept_since})


def _of_site(content: Content, site: str) -> pa.Table:
    start, count = content.directory.get(site, (0, 0))
    return content.table.slice(start, count)


def _reaches(table: pa.Table) -> Iterator[tuple[str, Reach]]:
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
        yield row["site"], Reach(row["first_min"], row["last_max"])
