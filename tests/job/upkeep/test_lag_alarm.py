"""A job that is too late for what its topic keeps says so in time."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from tests.real import PATIENCE_S

from analytics.errors import Misconfigured
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep.lag_alarm import LagAlarm, LagStatus, look
from analytics.settings import KafkaSettings, Settings
from analytics.stream.base import Position
from analytics.stream.kafka import reader
from analytics.stream.kafka.log import KafkaLog
from analytics.testing.builders import numbered_hit

pytestmark = pytest.mark.cluster

HOUR = 3_600_000


def fresh(kafka: Settings) -> KafkaSettings:
    topic = f"test.{uuid.uuid4().hex[:8]}"
    return kafka.kafka.model_copy(update={"topic": topic, "partitions": 2, "retention_h": 1})


@asynccontextmanager
async def administration(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def configure(kafka: KafkaSettings, **changes: str) -> None:
    """Change a topic as its owner might."""
    configs = {name.replace("_", "."): value for name, value in changes.items()}
    async with administration(kafka) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, kafka.topic, configs)])


def now() -> int:
    return time.time_ns() // 1_000_000


async def test_who_has_folded_everything_is_not_late(kafka: Settings) -> None:
    settings = fresh(kafka)
    async with KafkaLog(settings) as log:
        await log.append([numbered_hit(number) for number in range(20)])
        ends = {end.partition: end.offset for _, end in await log.ends()}
    assert await look(settings, ends, now() + HOUR) == LagStatus(0, HOUR, None, settings.partitions)


async def test_an_alarm_is_raised_when_half_of_the_retention_is_over(kafka: Settings) -> None:
    settings = fresh(kafka)
    async with KafkaLog(settings) as log:
        before = now()
        positions = await log.append([numbered_hit(number) for number in range(20)])
        after = now()
        ends = {end.partition: end.offset for _, end in await log.ends()}
    late = {**ends, positions[-1].partition: positions[-1].offset}
    soon = await look(settings, late, before + HOUR // 2)
    assert (soon.kept_ms, soon.fault) == (HOUR, None)
    assert before + HOUR // 2 - after <= soon.age_ms <= HOUR // 2
    too_late = await look(settings, late, after + HOUR // 2 + 1000)
    assert too_late.fault is not None
    assert f"record {positions[-1].offset} of partition" in too_late.fault
    assert "raise the topic's retention.ms" in too_late.fault
    assert (await look(settings, {}, after + HOUR)).fault is not None, "nothing was folded at all"


async def test_a_topic_that_keeps_everything_raises_none(kafka: Settings) -> None:
    settings = fresh(kafka)
    async with KafkaLog(settings) as log:
        await log.append([numbered_hit(1)])
    await configure(settings, retention_ms="-1")
    lateness = await look(settings, {}, now() + 1000 * HOUR)
    assert (lateness.kept_ms, lateness.fault) == (None, None)
    assert lateness.age_ms >= 1000 * HOUR


async def test_what_is_forgotten_already_has_no_age(kafka: Settings) -> None:
    settings = fresh(kafka).model_copy(update={"partitions": 1})
    async with KafkaLog(settings) as log:
        await log.append([numbered_hit(number) for number in range(10)])
    async with administration(settings) as admin:
        partition = TopicPartition(settings.topic, 0)
        await admin.delete_records({partition: RecordsToDelete(before_offset=5)})
    assert await reader.records_at(settings, [Position(0, 0)]) == {}
    late = await look(settings, {0: 0}, now() + HOUR)
    assert late.fault is not None
    assert "record 5 of partition 0" in late.fault


async def test_the_job_looks_by_itself(kafka: Settings, tmp_path: Path) -> None:
    settings = fresh(kafka)
    async with KafkaLog(settings) as log:
        (position,) = await log.append([numbered_hit(1)])
    await configure(settings, retention_ms="2000")
    watch = LagAlarm(StateDirectory(tmp_path), settings, every_s=0.1)
    with watch:
        async with asyncio.timeout(PATIENCE_S):
            while watch.lateness.fault is None:
                await asyncio.sleep(0.1)
        with StateDirectory(tmp_path).open(position.partition) as memory:
            memory.advance(position.offset + 1)
        async with asyncio.timeout(PATIENCE_S):
            while watch.lateness.fault is not None:
                await asyncio.sleep(0.1)


async def test_a_topic_that_forgets_by_size_is_refused(kafka: Settings) -> None:
    settings = fresh(kafka)
    async with KafkaLog(settings) as log:
        await log.append([numbered_hit(1)])
    await configure(settings, retention_bytes="1000000")
    with pytest.raises(Misconfigured, match=r"set its retention\.bytes to -1"):
        async with KafkaLog(settings):
            pass
