"""Old rows gone from the replica, old chunks from Ignite's memory: Spark answers about them.

How many of the questions: one in HISTORY_EVERY, else one in 401.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences, differing, explorations
from tests.cluster.test_equality import append, clock
from tests.real import PATIENCE_S, SMALL, settings_of

from analytics.errors import StoreUnavailable
from analytics.event import LogRecord
from analytics.job.upkeep import audit
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Compare, Metric, Op, Period, Query
from analytics.settings import IgniteSettings, Settings
from analytics.settings.load import load
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

EVERY = int(os.environ.get("HISTORY_EVERY", "401"))
SLICES = 5
NOW = traffic.UNTIL + 2 * traffic.HOUR
OLD = Query(
    site="a.example",
    metrics=(Metric.VISITORS, Metric.EVENTS),
    period=Period(traffic.UNTIL - 8 * traffic.DAY, traffic.UNTIL + traffic.DAY, "Etc/UTC"),
    filters=(Compare(Op.IS, "visit:browser", ("Chrome",)),),
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalCluster]:
    """A cluster whose memory holds a day."""
    file = tmp_path / "analytics.toml"
    file.write_text("[ignite]\nhot_days = 1\n")
    given = load(file, {}, environment={})
    machine = LocalCluster(given.model_copy(update={"data": tmp_path, "cluster": SMALL}), print)
    try:
        yield machine
    finally:
        machine.down()


def replica_in(folder: Path, settings: Settings) -> ReplicaStore:
    """A replica that keeps the rows of three days."""
    folder.mkdir()
    engine = DuckDBStore(
        folder / "store.duckdb",
        timezones=lambda: traffic.SITES,
        rebuild_at_most_every_ms=0,
        hot_days=3,
    )
    return ReplicaStore(
        TieredChunks(IgniteChunks(settings.ignite), CassandraChunks(settings.cassandra)),
        engine,
        folder / "incoming",
        partitions=settings.kafka.partitions,
        clock=clock,
        history=RemoteQueryClient(settings.spark),
    )


def in_memory(settings: Settings) -> tuple[int, int]:
    """How many chunks are in Ignite's memory, and how many in Cassandra."""
    with (
        closing(IgniteChunks(settings.ignite)) as shared,
        closing(CassandraChunks(settings.cassandra)) as kept,
    ):
        there = sum(len(shared.heads(partition)) for partition in shared.partitions())
        return there, sum(len(heads) for heads in kept.heads().values())


async def test_what_was_let_go_is_answered_by_spark(machine: LocalCluster, tmp_path: Path) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
    settings = settings_of(machine, Settings(ignite=IgniteSettings(hot_days=1)))
    records = traffic.records(8000)
    embedded = DuckDBStore(tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES)
    replica = replica_in(tmp_path / "replica", settings)
    async with embedded, replica:
        outcome = fold(list(enumerate(records)), PipelineState(Sources(), keep_ms=1 << 50), set())
        await embedded.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(records)))
        for number in range(SLICES):  # each makes a chunk of each partition, at least
            ends = await append(machine, _slice(records, number))
            async with asyncio.timeout(PATIENCE_S):
                await replica.follower.reached(ends)
        await replica.build_cells(NOW)
        async with asyncio.timeout(PATIENCE_S):
            while (counts := await asyncio.to_thread(in_memory, settings))[0] >= counts[1] / 2:
                await asyncio.sleep(1)
        print(f"{counts[0]} chunks in memory, {counts[1]} on disk")
        assert await replica.ledger() == await embedded.ledger()
        assert await replica.recount() == await embedded.recount()
        for site in traffic.SITES:
            figures, found = await differences(embedded, replica, site, every=EVERY)
            assert (found[:1], figures > 10) == ([], True)
            assert await differing(embedded, replica, explorations(site)) == []
        assert await replica.query(OLD) == await embedded.query(OLD)

        # Who begins now finds everything, though it is nowhere in memory.
        async with replica_in(tmp_path / "new", settings) as new:
            async with asyncio.timeout(PATIENCE_S):
                await new.follower.reached(ends)
            assert await new.recount() == await embedded.recount()
            assert await new.query(OLD) == await embedded.query(OLD)
        async with asyncio.timeout(PATIENCE_S):
            while (audited := await audit.run(settings)).faults:
                await asyncio.sleep(1)
        assert sum(each.received for each in audited.sites) == len(records)
        job = machine.processes.find("spark-job")
        assert job is not None
        machine.processes.end([job], 30)
        with pytest.raises(StoreUnavailable, match="the Spark job, which can answer about them"):
            await replica.query(OLD)


def _slice(records: Sequence[LogRecord], number: int) -> Sequence[LogRecord]:
    size = -(-len(records) // SLICES)
    return records[number * size : (number + 1) * size]
