"""The same events through the embedded fold and through the real cluster: the same figures.

EQUALITY_EVENTS in the environment says how many events (200,000), and EQUALITY_EVERY which share
of the questions is asked (10: one in ten; 1 asks all of them, some minutes on two cores).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import (
    GOALS,
    answers,
    compare,
    differing,
    explorations,
    queries,
    queries_of_days,
    some,
)
from tests.real import PATIENCE_S, machine_in, settings_of

from analytics.event import LogRecord
from analytics.job.upkeep import audit
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Dimension, Metric, Query, Result
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.connection import Connection
from analytics.store.duckdb import DuckDBStore, site_state
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore
from analytics.store.sql import query_plan
from analytics.store.sql.query_plan import QueryPlan
from analytics.store.sql.query_shape import QueryShape
from analytics.stream.kafka.log import KafkaLog

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(5400)]

EVENTS = int(os.environ.get("EQUALITY_EVENTS", "200000"))
EVERY = int(os.environ.get("EQUALITY_EVERY", "10"))
LATER = traffic.UNTIL + 3 * traffic.DAY


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalCluster]:
    """A cluster of its own, so that its log has nothing but our events."""
    machine = machine_in(tmp_path / "machine")
    try:
        yield machine
    finally:
        machine.down()


async def append(machine: LocalCluster, records: Sequence[LogRecord]) -> dict[int, int]:
    """Append *records*; for each partition, where it ends now."""
    async with KafkaLog(settings_of(machine).kafka) as log:
        for start in range(0, len(records), 500):
            await log.append(records[start : start + 500])
        return {end.partition: end.offset for _, end in await log.ends()}


def engine(path: Path) -> DuckDBStore:
    return DuckDBStore(
        path,
        timezones=lambda: traffic.SITES,
        goals=lambda: dict.fromkeys(traffic.SITES, GOALS),
        rebuild_at_most_every_ms=0,
    )


async def folded(store: DuckDBStore, records: Sequence[LogRecord]) -> None:
    """Fold *records* as embedded mode does."""
    outcome = fold(list(enumerate(records)), PipelineState(Sources(), keep_ms=1 << 50), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(records)))


async def by_cells(store: DuckDBStore, questions: Sequence[Query]) -> int:
    """How many of *questions* cells answer, at least in part."""

    def planned(connection: Connection, query: Query) -> QueryPlan:
        shape = QueryShape.of(query)
        state = site_state.read(connection, query.site, shape.goal_keys)
        return query_plan.from_cells(shape, state.cells, kept_since=0, evicted=False)

    plans = [await store._threads.read(partial(planned, query=each)) for each in questions]
    return sum(plan.clean is not None for plan in plans)


def is_plain(query: Query) -> bool:
    """Whether it is about the whole site, or its pages."""
    return query.dimensions in ((), (Dimension.PAGE,))


async def distinct(store: DuckDBStore, query: Query) -> Mapping[tuple[str, ...], int]:
    """The visitors of *query*, as plain SQL counts them; by page, or of the whole site."""
    by = "path" if query.dimensions else "''"
    counted = await store._threads.read(
        lambda connection: connection.rows(
            f"SELECT {by}, count(DISTINCT visitor) FROM rows WHERE site = ? AND ts >= ? AND ts < ?"
            " AND name <> 'engagement' AND bot IS NULL GROUP BY 1",
            [query.site, query.period.start, query.period.end],
        )
    )
    return {(value,)[: len(query.dimensions)]: number for value, number in counted}


async def uniques_are_those_of_count_distinct(
    store: DuckDBStore, asked: Sequence[tuple[Query, Result]]
) -> int:
    """How many figures were held against plain SQL."""
    held = 0
    for query, result in asked:
        if is_plain(query):
            at = query.metrics.index(Metric.VISITORS)
            told = {row.dimensions: row.metrics[at] for row in result.rows if row.metrics[at]}
            assert told == await distinct(store, query), query
            held += len(told)
    return held


async def test_every_figure_is_the_same_in_both_modes(
    machine: LocalCluster, tmp_path: Path
) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
    settings = settings_of(machine)
    records = traffic.records(EVENTS)
    ends = await append(machine, records)
    replica = ReplicaStore(
        IgniteChunks(settings.ignite),
        engine(tmp_path / "replica.duckdb"),
        tmp_path / "incoming",
        partitions=settings.kafka.partitions,
        clock=clock,
        history=RemoteQueryClient(settings.spark),
    )
    async with replica, engine(tmp_path / "embedded.duckdb") as embedded:
        await folded(embedded, records)
        async with asyncio.timeout(PATIENCE_S):
            await replica.follower.reached(ends)
        assert await replica.ledger() == await embedded.ledger()
        assert await replica.recount() == await embedded.recount()
        for site in traffic.SITES:
            assert await differing(embedded, replica, explorations(site)) == []
        await asked_of_rows(embedded, replica, len(records))
        await asked_of_cells(embedded, replica)
        async with asyncio.timeout(PATIENCE_S):  # for Ignite to write the last chunks behind
            while (audited := await audit.run(settings)).faults:
                await asyncio.sleep(1)
        assert audited.balanced


async def asked_of_rows(embedded: DuckDBStore, replica: ReplicaStore, events: int) -> None:
    """Every question, before there are cells."""
    for site in traffic.SITES:
        began = time.monotonic()
        questions = some(queries(site), EVERY)
        compared = await compare(embedded, replica, questions)
        took = time.monotonic() - began
        print(
            f"{site}: {compared.figures:,} figures of {compared.questions:,} questions about"
            f" {events:,} events are equal; {took:.0f} s"
        )
        assert compared.differences[:1] == []
        assert (compared.questions, compared.figures > 100) == (len(questions), True)


async def asked_of_cells(embedded: DuckDBStore, replica: ReplicaStore) -> None:
    """Ranges of whole days: from rows; from cells of the days before today; from cells alone."""
    questions = [
        query
        for site in traffic.SITES
        for query in some(queries_of_days(site), EVERY, always=is_plain)
    ]
    by_rows = await answers(embedded, questions)
    held = await uniques_are_those_of_count_distinct(
        embedded, list(zip(questions, by_rows, strict=True))
    )
    figures = sum(len(row.metrics) for result in by_rows for row in result.rows)
    for now, all_of_them in ((traffic.UNTIL, False), (LATER, True)):
        for store in (embedded, replica._engine):
            assert await store.build_cells(now) == len(traffic.SITES)
            answered = await by_cells(store, questions)
            assert answered == len(questions) if all_of_them else answered > 0.9 * len(questions)
        assert await answers(embedded, questions) == by_rows
        assert await answers(replica, questions) == by_rows
    print(
        f"{figures:,} figures of {len(questions):,} questions about days are the same from rows"
        f" and from cells, in both modes; {held:,} uniques those of count(distinct)"
    )
    assert (figures > 1000, held > 1000) == (True, True)
