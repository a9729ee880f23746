"""A topic that is deleted and made anew: none of its records is skipped without a word."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from tests.cluster import traffic
from tests.cluster.test_equality import append, engine, folded
from tests.cluster.test_memory import replica_in
from tests.real import PATIENCE_S, machine_in, settings_of

from analytics.errors import LogUnavailable
from analytics.event import LogRecord
from analytics.job.upkeep import audit
from analytics.localcluster import plan
from analytics.localcluster.launcher import LocalCluster
from analytics.pipeline.ledger import LedgerKey
from analytics.settings import KafkaSettings, Settings
from analytics.stream.kafka import topic
from analytics.stream.kafka.log import KafkaLog

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalCluster]:
    machine = machine_in(tmp_path)
    try:
        yield machine
    finally:
        machine.down()


def end_job(machine: LocalCluster) -> None:
    job = machine.processes.find("spark-job")
    assert job is not None
    machine.processes.end([job], 60)


async def made_anew(kafka: KafkaSettings) -> None:
    """The topic, deleted and made again."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    try:
        await admin.delete_topics([kafka.topic])
        async with asyncio.timeout(PATIENCE_S):
            while kafka.topic in await admin.list_topics():
                await asyncio.sleep(0.1)
    finally:
        await admin.close()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await topic.ensure(kafka)
            except LogUnavailable:
                await asyncio.sleep(0.5)


async def said_by_the_job(settings: Settings) -> str:
    """Why the job folds nothing."""
    async with httpx2.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                reply = await client.get(f"http://127.0.0.1:{settings.spark.port}/health/ready")
            except httpx2.TransportError:
                await asyncio.sleep(0.5)
                continue
            checks: Mapping[str, str] = reply.json()["checks"]
            if "partition" in checks["job"]:
                assert reply.status_code == 503
                return checks["job"]
            await asyncio.sleep(0.5)


async def adopt(machine: LocalCluster) -> str:
    """What `analytics spark-job --adopt-topic` says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "analytics", "spark-job", "--adopt-topic"),
        *("--config", str(machine.configuration), "--data", str(machine.folder / "spark-job")),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def begin_job(machine: LocalCluster) -> None:
    """Start it, though it will not be ready."""
    agreed = plan.load(machine.folder)
    assert agreed is not None
    (job,) = machine._parts(agreed).of("spark-job")
    machine.processes.start("spark-job", await asyncio.to_thread(job.prepare))


async def test_what_a_new_topic_has_is_never_skipped(machine: LocalCluster, tmp_path: Path) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
    settings = settings_of(machine)
    records = traffic.records(9_000)
    first, fewer, more = records[:2_000], records[2_000:3_000], records[3_000:]
    counted: list[LogRecord] = []
    replica = replica_in(tmp_path / "replica", settings)
    async with replica, engine(tmp_path / "embedded.duckdb") as embedded:
        ends = await append(machine, first)
        counted += first
        for slice_ in (fewer, more):
            async with asyncio.timeout(PATIENCE_S):
                await replica.follower.reached(ends)
            await clean(settings)
            end_job(machine)
            await made_anew(settings.kafka)
            before = dict(replica.follower.next_offsets)
            await append(machine, slice_)
            await begin_job(machine)
            assert "--adopt-topic" in await said_by_the_job(settings)
            missing = [each for each in (await audit.run(settings)).faults if "never" in each]
            async with KafkaLog(settings.kafka) as log:
                there = {end.partition: end.offset for _, end in await log.ends()}
            skipped = sum(min(end, before.get(p, 0)) for p, end in there.items())
            assert sum(int(each.split()[2]) for each in missing) == skipped > 0
            assert replica.follower.next_offsets == before, "nothing is folded meanwhile"

            end_job(machine)
            assert f"{len(slice_)} records of the topic will be counted" in await adopt(machine)
            await machine.up(only=("kafka", "cassandra", "ignite", "spark-job"))
            counted += slice_
            async with KafkaLog(settings.kafka) as log:
                ends = {end.partition: end.offset for _, end in await log.ends()}
        async with asyncio.timeout(PATIENCE_S):
            await replica.follower.reached(ends)
        await clean(settings)
        await folded(embedded, counted)
        # Which of two copies is stored depends on their order, which adopting has changed.
        assert by_site(await replica.recount()) == by_site(await embedded.recount())
        assert sum(each.received for each in (await audit.run(settings)).sites) == len(counted)


def by_site(rows: Mapping[LedgerKey, int]) -> Counter[str]:
    """How many rows each site has."""
    found: Counter[str] = Counter()
    for key, count in rows.items():
        found[key.site] += count
    return found


async def clean(settings: Settings) -> None:
    """Return when an audit finds nothing: Ignite may have something to write yet."""
    async with asyncio.timeout(PATIENCE_S):
        while faults := (await audit.run(settings)).faults:
            print(faults[:2])
            await asyncio.sleep(1)
