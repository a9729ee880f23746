"""The same events through the embedded fold and through the real cluster: the same figures.

How many events: EQUALITY_EVENTS in the environment, else 20,000. How many of the questions:
one in EQUALITY_EVERY, else one in 7; 1 asks all of them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.cluster.comparing import differences
from tests.real import machine_in, settings_of

from analytics.cluster.machine import Machine
from analytics.event import LogRecord
from analytics.job import audit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import State
from analytics.store.duckdb import DuckDBStore
from analytics.store.ignite.chunks import ChunkStore
from analytics.store.replica.store import ReplicaStore
from analytics.stream.kafka.log import KafkaLog

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

EVENTS = int(os.environ.get("EQUALITY_EVENTS", "20000"))
EVERY = int(os.environ.get("EQUALITY_EVERY", "7"))
LATER = traffic.UNTIL + 3 * traffic.DAY
VISIBLE_S = 240


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A cluster of its own, so that its log has nothing but our events."""
    machine = machine_in(tmp_path / "machine")
    try:
        yield machine
    finally:
        machine.down()


async def append(machine: Machine, records: Sequence[LogRecord]) -> dict[int, int]:
    """Append *records*; for each partition, where it ends now."""
    async with KafkaLog(settings_of(machine).kafka) as log:
        for start in range(0, len(records), 500):
            await log.append(records[start : start + 500])
        return {end.partition: end.offset for _, end in await log.ends()}


def engine(path: Path) -> DuckDBStore:
    return DuckDBStore(path, timezones=lambda: traffic.SITES, rebuild_at_most_every_ms=0)


async def test_every_figure_is_the_same_in_both_modes(machine: Machine, tmp_path: Path) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
    settings = settings_of(machine)
    records = traffic.records(EVENTS)
    ends = await append(machine, records)
    replica = ReplicaStore(
        ChunkStore(settings.ignite),
        engine(tmp_path / "replica.duckdb"),
        tmp_path / "incoming",
        partitions=settings.kafka.partitions,
        clock=clock,
    )
    async with replica, engine(tmp_path / "embedded.duckdb") as embedded:
        outcome = fold(list(enumerate(records)), State(Sources(), keep_ms=1 << 50), set())
        await embedded.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(records)))
        async with asyncio.timeout(VISIBLE_S):
            await replica.follower.reached(ends)
        assert await replica.ledger() == await embedded.ledger()
        assert await replica.recount() == await embedded.recount()
        for built in (False, True):  # from rows alone, then from cells where there are any
            if built:
                assert await embedded.build_cells(LATER) == len(traffic.SITES)
                assert await replica.build_cells(LATER) == len(traffic.SITES)
            for site in traffic.SITES:
                figures, found = await differences(embedded, replica, site, every=EVERY)
                assert (found[:1], figures > 100) == ([], True)
        async with asyncio.timeout(VISIBLE_S):  # for Ignite to write the last chunks behind
            while (audited := await audit.run(settings)).faults:
                await asyncio.sleep(1)
        assert audited.balanced
