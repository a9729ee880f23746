"""A record that no one understands comes to its topic, though the job is killed after the fold."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from tests.real import PATIENCE_S

from analytics.errors import LogUnavailable
from analytics.job.partition.batch import LogEntry, process_batch
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.upkeep.dead_letters import DeadLetters
from analytics.pipeline.source import Sources
from analytics.settings import KafkaSettings, Settings
from analytics.stream.kafka import topic
from analytics.stream.kafka.connection import options
from analytics.stream.record import encode
from analytics.testing.builders import numbered_hit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

GARBAGE = b"\xc1 no message at all"


def folded(folder: Path) -> StateDirectory:
    """What a job remembers that was killed as soon as it had folded, and told nobody."""
    memories = StateDirectory(folder)
    batch = [
        LogEntry(0, 5, encode(numbered_hit(1))),
        LogEntry(1, 6, GARBAGE),
        LogEntry(2, 7, encode(numbered_hit(2))),
    ]
    with memories.open(3) as memory:
        process_batch(memory, 3, batch, Sources())
    return memories


async def letters(kafka: KafkaSettings, count: int) -> list[tuple[bytes, bytes]]:
    """The first *count* (key, value)s of the topic of dead letters."""
    found: list[tuple[bytes, bytes]] = []
    async with (
        AIOKafkaConsumer(
            kafka.dead_topic, auto_offset_reset="earliest", **options(kafka, client="test")
        ) as consumer,
        asyncio.timeout(PATIENCE_S),
    ):
        while len(found) < count:
            record = await consumer.getone()
            found.append((record.key, record.value))
    return found


async def test_a_letter_waits_until_its_topic_has_it(kafka: Settings, tmp_path: Path) -> None:
    mine = kafka.kafka.model_copy(update={"dead_topic": f"dead.{uuid.uuid4().hex[:8]}"})
    memories = folded(tmp_path)
    away = DeadLetters(memories, KafkaSettings(bootstrap=("127.0.0.1:1",)))
    with pytest.raises(LogUnavailable):
        await asyncio.to_thread(away.step)
    await topic.ensure(mine)
    await asyncio.to_thread(DeadLetters(memories, mine).step)
    ((key, value),) = await letters(mine, 1)
    assert (key.startswith(b"3-1: "), value) == (True, GARBAGE)
    with memories.open(3) as memory:
        assert memory.dead_letters(10) == [], "once is enough"
