"""Answering for replicas: a question about rows that they let go, spread over the chunks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from analytics.errors import StoreUnavailable
from analytics.event import Erasure
from analytics.job.query.known_chunks import KnownChunks
from analytics.job.query.task import ChunkFacts, QueryTask, TaskResult, TimeReach
from analytics.query import Period, Result
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.chunks import chunk
from analytics.store.chunks.base import ChunkIndex
from analytics.store.chunks.chunk import ChunkHead
from analytics.store.duckdb import partials
from analytics.store.duckdb.engine import Engine
from analytics.store.duckdb.partials import PartialAnswer
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.sql import query_shape
from analytics.store.sql.query_shape import QueryShape

_ATTEMPTS: Final = 3

Spread = Callable[[Sequence[QueryTask]], Sequence[TaskResult]]
"""Has every share reckoned somewhere, and returns what came of each."""


Orders = Callable[[int, str], Sequence[Erasure]]
"""The orders to erase that reached a partition, of one site."""


class TaskContext(NamedTuple):
    """What a task may need."""

    ignite: IgniteSettings
    cassandra: CassandraSettings
    memory_mib: int


class QueryCoordinator:
    """Answers questions. For any thread.

    What it learns of a chunk it knows from then on, so that the next question about other days
    leaves the chunk alone.
    """

    def __init__(
        self, index: ChunkIndex, orders: Orders, spread: Spread, room: TaskContext
    ) -> None:
        self._index = index
        self._orders = orders
        self._spread = spread
        self._room = room
        self._lock = threading.Lock()
        self._known = KnownChunks()

    def answer(self, question: RemoteQuery) -> Result:
        """The answer of all rows before the question's ends, as if they were in one place.

        Raises `Malformed` for what has no meaning, `StoreUnavailable` when some chunk can't be
        had: never an answer from less.
        """
        query_shape.check(question.query)
        reckoned: Sequence[TaskResult] = ()
        for _ in range(_ATTEMPTS):
            with self._lock:
                shares = [
                    self._share(question, partition, end)
                    for partition, end in sorted(question.ends.items())
                    if end
                ]
            to_read = [each for each in shares if each.ids]
            reckoned = self._spread(to_read) if to_read else ()
            with self._lock:
                for share, each in zip(to_read, reckoned, strict=True):
                    self._known.learn(share.partition, each.known)
            if not any(each.missing for each in reckoned):
                for share, each in zip(to_read, reckoned, strict=True):
                    _check_beginning(share.partition, share.first, each.known)
                return _merged(question, reckoned)
            with self._lock:  # they were merged, or have left Ignite's memory, a moment ago
                self._index.refresh()
        missing = next(each.missing[0] for each in reckoned if each.missing)
        raise StoreUnavailable(f"chunk {missing} is neither in Ignite nor in Cassandra")

    def _share(self, question: RemoteQuery, partition: int, end: int) -> QueryTask:
        every = self._index.heads(partition)
        heads = _covering(every, end)
        if heads is None:
            self._index.refresh()
            every = self._index.heads(partition)
            heads = _covering(every, end)
        self._known.keep(partition, {each.chunk_id for each in every})
        if heads is None:
            raise StoreUnavailable(
                f"the chunks of partition {partition} have a gap before record {end}: see"
                " `analytics audit`"
            )
        first = heads[0].chunk_id
        _check_beginning(partition, first, self._known)
        ids = needed(heads, self._known, question)
        if first not in self._known and first not in ids:
            ids.insert(0, first)
        return QueryTask(
            question,
            partition,
            first,
            ids,
            self._orders(partition, question.query.site),
            self._room.ignite,
            self._room.cassandra,
            self._room.memory_mib,
        )


def _check_beginning(partition: int, first: str, known: Mapping[str, ChunkFacts]) -> None:
    """Raise `StoreUnavailable` if the *first* chunk is among the *known*, and is not the first."""
    if first in known and not known[first].begins:
        raise StoreUnavailable(
            f"chunks of partition {partition} are missing before {first}: see `analytics audit`"
        )


def needed(
    heads: Sequence[ChunkHead], known: Mapping[str, ChunkFacts], question: RemoteQuery
) -> list[str]:
    """Ids of the chunks that may have a row which *question* looks at."""
    query = question.query
    reaches = {
        each.chunk_id: known[each.chunk_id].sites.get(query.site)
        for each in heads
        if each.chunk_id in known
    }
    unread = {each.chunk_id for each in heads if each.chunk_id not in reaches and each.rows}
    period = query.period
    if QueryShape.of(query).follows_visits:
        # A visit with a row in the period may have others anywhere: look as far as it can reach.
        if unread:
            return [i for i in (e.chunk_id for e in heads) if i in unread or reaches.get(i)]
        touched = [each for each in reaches.values() if each is not None and _meets(each, period)]
        period = Period(
            min([period.start, *(each.earliest for each in touched)]),
            max([period.end, *(each.latest + 1 for each in touched)]),
            period.timezone,
        )
    wanted = {i for i, each in reaches.items() if each is not None and _meets(each, period)}
    wanted.update(unread)
    return [each.chunk_id for each in heads if each.chunk_id in wanted]


def _meets(reach: TimeReach, period: Period) -> bool:
    return reach.earliest < period.end and reach.latest >= period.start


def _covering(heads: Sequence[ChunkHead], end: int) -> list[ChunkHead] | None:
    """Of *heads* those without gap from the first on that begin before *end*; None if none do."""
    whole = chunk.chain(heads, None)
    if not whole or whole[-1].last_offset + 1 < end:
        return None
    return [each for each in whole if each.first_offset < end]


def _merged(question: RemoteQuery, reckoned: Sequence[TaskResult]) -> Result:
    made: list[PartialAnswer] = []
    for each in reckoned:
        if each.partial is None:
            raise StoreUnavailable(each.fault)
        made.append(each.partial)
    with TemporaryDirectory(prefix="analytics-") as name:
        engine = Engine(Path(name) / "merged.duckdb", "512MiB", 1)
        try:
            connection = engine.connect()
            if not made:  # no record counts, and no rows have an answer too
                made.append(partials.make(connection, question.query, Path(name)))
            return partials.merge(connection, question.query, made, Path(name))
        finally:
            engine.close()
