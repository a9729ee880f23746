"""More hits than Ignite's memory holds: its node lives, and every figure is complete."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from msgspec import structs
from tests.cluster import traffic
from tests.cluster.test_equality import append, clock, engine, folded
from tests.real import PATIENCE_S, SMALL, kill, pids, settings_of

from analytics.event import Hit, LogRecord
from analytics.job.upkeep import audit
from analytics.localcluster.launcher import LocalCluster
from analytics.settings import Settings
from analytics.settings.section import MIB
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.store.ignite.memory import FULL_AT, ROOMY_BELOW, NodeMemory
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

EVENTS = 60_000
TITLE_BYTES = 600
"""So that all of them together take more memory than there is."""
A_BATCH = 2_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalCluster]:
    """A cluster whose Ignite has as little memory as it may have."""
    small = SMALL.model_copy(update={"ignite_memory": 64 * MIB})
    machine = LocalCluster(Settings(data=tmp_path, cluster=small), print)
    try:
        yield machine
    finally:
        machine.down()


def replica_in(folder: Path, settings: Settings) -> ReplicaStore:
    folder.mkdir()
    return ReplicaStore(
        TieredChunks(IgniteChunks(settings.ignite), CassandraChunks(settings.cassandra)),
        engine(folder / "store.duckdb"),
        folder / "incoming",
        partitions=settings.kafka.partitions,
        clock=clock,
        history=RemoteQueryClient(settings.spark),
    )


def wordy(count: int, *, seed: int = 3) -> list[LogRecord]:
    """Records with titles that no compression makes short."""
    dice = random.Random(seed)
    return [
        structs.replace(record, title=dice.randbytes(TITLE_BYTES).hex())
        if isinstance(record, Hit)
        else record
        for record in traffic.records(count, seed=seed)
    ]


async def test_the_oldest_chunks_leave_a_memory_that_fills_up(
    machine: LocalCluster, tmp_path: Path
) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
    settings = settings_of(machine)
    node = pids(machine)["ignite-1"]
    records = wordy(EVENTS)
    replica = replica_in(tmp_path / "replica", settings)
    async with replica, engine(tmp_path / "embedded.duckdb") as embedded:
        await folded(embedded, records)
        for start in range(0, len(records), A_BATCH):
            ends = await append(machine, records[start : start + A_BATCH])
            await asyncio.sleep(0.5)  # so that it is as many batches of the stream's
        async with asyncio.timeout(PATIENCE_S):
            await replica.follower.reached(ends)
        assert await replica.recount() == await embedded.recount()
        await clean(settings)
        assert pids(machine)["ignite-1"] == node
        alarm = await alarmed(settings, "cluster.ignite_memory")
        assert (alarm["job"], await share_of(settings) < FULL_AT) == ("ok", True)

        # A node that begins empty is given back what fits, and no more.
        kill(machine, "ignite-1")
        await machine.up(only=("ignite",))
        node = pids(machine)["ignite-1"]
        async with asyncio.timeout(PATIENCE_S):
            while await share_of(settings) < ROOMY_BELOW:
                await asyncio.sleep(1)
        async with replica_in(tmp_path / "new", settings) as new:
            async with asyncio.timeout(PATIENCE_S):
                await new.follower.reached(ends)
            assert await new.recount() == await embedded.recount()
        assert (pids(machine)["ignite-1"], await share_of(settings) < FULL_AT) == (node, True)

        # Nothing can leave while Cassandra is away: what comes is held back, and is not lost.
        kill(machine, "cassandra")
        more = wordy(EVENTS, seed=4)
        ends = await append(machine, more)
        async with asyncio.timeout(PATIENCE_S):
            while await share_of(settings) < FULL_AT:
                await asyncio.sleep(1)
        await asyncio.sleep(20)
        assert pids(machine)["ignite-1"] == node
        await alarmed(settings, "full")
        assert any(replica.follower.next_offsets[p] < end for p, end in ends.items())
        await machine.up(only=("cassandra",))
        await folded(embedded, more)
        async with asyncio.timeout(PATIENCE_S):
            await replica.follower.reached(ends)
        await clean(settings)
        assert pids(machine)["ignite-1"] == node


async def alarmed(settings: Settings, alarm: str) -> Mapping[str, str]:
    """What the job says of itself, as soon as *alarm* is what it says of its memory."""
    async with httpx2.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
        while True:
            reply = await client.get(f"http://127.0.0.1:{settings.spark.port}/health/ready")
            checks: Mapping[str, str] = reply.json()["checks"]
            if alarm in checks["memory"]:
                return checks
            await asyncio.sleep(1)


async def share_of(settings: Settings) -> float:
    """How full the node's memory is."""
    return await asyncio.to_thread(_share_of, settings)


def _share_of(settings: Settings) -> float:
    with closing(NodeMemory(settings.ignite)) as memory:
        return memory.use().share


async def clean(settings: Settings) -> None:
    """Return when an audit finds nothing: Ignite may have something to write yet."""
    async with asyncio.timeout(PATIENCE_S):
        while (audited := await audit.run(settings)).faults:
            print(audited.faults[:2])
            await asyncio.sleep(2)
