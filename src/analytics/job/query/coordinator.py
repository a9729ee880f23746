"""Answers replicas' queries about rows they have evicted, by a Spark task for each partition."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from msgspec import structs

from analytics.errors import StoreUnavailable
from analytics.event import Erasure
from analytics.exploration import Exploration, ExplorationResult, RetentionQuery
from analytics.job.query.known_chunks import KnownChunks
from analytics.job.query.task import ChunkFacts, QueryTask, TaskResult, TimeReach
from analytics.query import Period, Query, Result
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.chunks import chunk
from analytics.store.chunks.base import ChunkIndex
from analytics.store.chunks.chunk import ChunkHead
from analytics.store.duckdb import partials
from analytics.store.duckdb.engine import Engine
from analytics.store.duckdb.partials import PartialAnswer
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.sql import event_scan, exploration_cost, query_shape
from analytics.store.sql.query_shape import QueryShape

_ATTEMPTS: Final = 3

Execute = Callable[[Sequence[QueryTask]], Sequence[TaskResult]]
"""Executes every task somewhere, and returns their results in the same order."""


ErasureLookup = Callable[[int, str], Sequence[Erasure]]
"""Returns the erasures of one site that reached a partition: (partition, site) → erasures."""


class TaskContext(NamedTuple):
    """The settings with which every task connects, and its memory limit."""

    ignite: IgniteSettings
    cassandra: CassandraSettings
    memory_mib: int


class QueryCoordinator:
    """Answers `RemoteQuery`s. Thread-safe.

    It remembers which sites and times a chunk covers, so that queries about other days do not read
    the chunk again.
    """

    def __init__(
        self, index: ChunkIndex, erasures: ErasureLookup, execute: Execute, context: TaskContext
    ) -> None:
        self._index = index
        self._erasures = erasures
        self._execute = execute
        self._context = context
        self._lock = threading.Lock()
        self._known = KnownChunks()

    def answer(self, question: RemoteQuery) -> Result | ExplorationResult:
        """Return the answer from all rows before the query's ends, as one store would give it.

        Raises `Malformed` for an invalid query, and `StoreUnavailable` if any chunk cannot be
        read: there are no answers from incomplete data.
        """
        _check(question.asked)
        results: Sequence[TaskResult] = ()
        for _ in range(_ATTEMPTS):
            with self._lock:
                tasks = [
                    self._task(question, partition, end)
                    for partition, end in sorted(question.ends.items())
                    if end
                ]
            to_read = [each for each in tasks if each.ids]
            results = self._execute(to_read) if to_read else ()
            with self._lock:
                for task, each in zip(to_read, results, strict=True):
                    self._known.learn(task.partition, each.known)
            if not any(each.missing for each in results):
                for task, each in zip(to_read, results, strict=True):
                    _check_beginning(task.partition, task.first, each.known)
                return _merged(question, results)
            with self._lock:  # they were merged or evicted since the index was read
                self._index.refresh()
        missing = next(each.missing[0] for each in results if each.missing)
        raise StoreUnavailable(f"chunk {missing} is neither in Ignite nor in Cassandra")

    def _task(self, question: RemoteQuery, partition: int, end: int) -> QueryTask:
        all_heads = self._index.heads(partition)
        heads = _covering(all_heads, end)
        if heads is None:
            self._index.refresh()
            all_heads = self._index.heads(partition)
            heads = _covering(all_heads, end)
        self._known.keep(partition, {each.chunk_id for each in all_heads})
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
            self._erasures(partition, question.asked.site),
            self._context.ignite,
            self._context.cassandra,
            self._context.memory_mib,
        )


def _check_beginning(partition: int, first: str, facts: Mapping[str, ChunkFacts]) -> None:
    """Raise `StoreUnavailable` if *facts* says that chunks are missing before *first*."""
    if first in facts and not facts[first].begins:
        raise StoreUnavailable(
            f"chunks of partition {partition} are missing before {first}: see `analytics audit`"
        )


def needed(
    heads: Sequence[ChunkHead], facts: Mapping[str, ChunkFacts], question: RemoteQuery
) -> list[str]:
    """Return the ids of the chunks that may have rows *question* needs, in offset order.

    Chunks with rows that are not in *facts* are included.
    """
    query = question.asked
    reaches = {
        each.chunk_id: facts[each.chunk_id].sites.get(query.site)
        for each in heads
        if each.chunk_id in facts
    }
    unread = {each.chunk_id for each in heads if each.chunk_id not in reaches and each.rows}
    period = query.period
    if isinstance(query, RetentionQuery):  # who was seen before is not seen first
        period = structs.replace(period, start=min(period.start, question.kept_since))
    if _follows_visits(query):
        # A visit with a row in the period may have rows outside it: widen the period accordingly.
        if unread:
            return [i for i in (e.chunk_id for e in heads) if i in unread or reaches.get(i)]
        touched = [each for each in reaches.values() if each is not None and _meets(each, period)]
        period = Period(
            min([period.start, *(each.earliest for each in touched)]),
            max([period.end, *(each.latest + 1 for each in touched)]),
            period.timezone,
        )
    needed_chunks = {i for i, each in reaches.items() if each is not None and _meets(each, period)}
    needed_chunks.update(unread)
    return [each.chunk_id for each in heads if each.chunk_id in needed_chunks]


def _check(query: Query | Exploration) -> None:
    if isinstance(query, Query):
        query_shape.check(query)
    else:
        exploration_cost.check(query)


def _follows_visits(query: Query | Exploration) -> bool:
    if isinstance(query, Query):
        return QueryShape.of(query).follows_visits
    return event_scan.follows_visits(event_scan.shape_of(query))


def _meets(reach: TimeReach, period: Period) -> bool:
    return reach.earliest < period.end and reach.latest >= period.start


def _covering(heads: Sequence[ChunkHead], end: int) -> list[ChunkHead] | None:
    """Return the *heads* that cover the records before *end*; None if there is a gap."""
    whole = chunk.chain(heads, None)
    if not whole or whole[-1].last_offset + 1 < end:
        return None
    return [each for each in whole if each.first_offset < end]


def _merged(question: RemoteQuery, results: Sequence[TaskResult]) -> Result | ExplorationResult:
    answers: list[PartialAnswer] = []
    for each in results:
        if each.partial is None:
            raise StoreUnavailable(each.fault)
        answers.append(each.partial)
    with TemporaryDirectory(prefix="analytics-") as name:
        engine = Engine(Path(name) / "merged.duckdb", "512MiB", 1)
        try:
            connection = engine.connect()
            if not answers:  # without chunks, answer from no rows
                answers.append(partials.make(connection, question.asked, Path(name)))
            return partials.merge(connection, question.asked, answers, Path(name))
        finally:
            engine.close()
