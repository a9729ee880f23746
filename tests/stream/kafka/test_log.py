"""The log in a topic, on a real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.real import PATIENCE_S, machine_in, settings_of

from analytics.errors import LogUnavailable, Misconfigured
from analytics.event import Drop, Hit
from analytics.settings import KafkaSettings, Settings
from analytics.sharding import partition_of
from analytics.stream.base import Position
from analytics.stream.kafka.log import KafkaLog
from analytics.stream.spool import Spool, SpoolLimits
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import EventLogContract, drop, read

pytestmark = pytest.mark.cluster


def fresh(settings: Settings, **changes: object) -> KafkaSettings:
    """The settings of *settings*' Kafka, with a topic that nobody has used."""
    topic = f"test.{uuid.uuid4().hex[:8]}"
    return settings.kafka.model_copy(update={"topic": topic, "linger_ms": 1.0, **changes})


class TestKafkaLog(EventLogContract):
    """The contract, in a topic of one partition."""

    @pytest.fixture
    async def log(self, kafka: Settings) -> AsyncIterator[KafkaLog]:
        async with KafkaLog(fresh(kafka, partitions=1)) as log:
            yield log


class TestSpoolBeforeKafka(EventLogContract):
    """The contract, with a spool before the topic that is not needed."""

    @pytest.fixture
    async def log(self, kafka: Settings, tmp_path: Path) -> AsyncIterator[Spool]:
        topic = KafkaLog(fresh(kafka, partitions=1))
        async with Spool(topic, tmp_path / "spool", limits=SpoolLimits(after_s=60)) as log:
            yield log
            assert log.backlog == 0


async def test_each_record_lies_in_the_partition_of_its_visitor(kafka: Settings) -> None:
    records = [numbered_hit(number) for number in range(400)] + [drop(1), drop(2)]
    async with KafkaLog(fresh(kafka, partitions=8)) as log:
        positions = await log.append(records)
        assert [position.partition for position in positions] == [
            partition_of(record, 8) for record in records
        ]
        by_partition: defaultdict[int, list[Hit | Drop]] = defaultdict(list)
        for record, position in zip(records, positions, strict=True):
            by_partition[position.partition].append(record)
        for start, end in await log.ends():
            found = await read(log, start, end.offset - start.offset)
            assert [record for _, record in found] == by_partition[start.partition]


async def test_a_visitor_keeps_its_order_under_load(kafka: Settings) -> None:
    async with KafkaLog(fresh(kafka, partitions=4, linger_ms=0.0)) as log:
        appends = []
        for turn in range(50):
            for visitor in range(20):
                one = numbered_hit(visitor)
                appends.append(log.append([Hit(**{**fields(one), "path": f"/{turn}"})]))
            await asyncio.sleep(0)
        await asyncio.gather(*appends)
        seen: defaultdict[int, list[str]] = defaultdict(list)
        for start, end in await log.ends():
            if end.offset > start.offset:
                for _, record in await read(log, start, end.offset - start.offset):
                    assert isinstance(record, Hit)
                    seen[record.visitor].append(record.path)
        assert all(paths == [f"/{turn}" for turn in range(50)] for paths in seen.values())
        assert len(seen) == 20


def fields(record: Hit) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


async def test_one_append_may_be_larger_than_a_batch(kafka: Settings) -> None:
    settings = fresh(kafka, partitions=1, compression="none")
    records = [Hit(**{**fields(numbered_hit(n)), "title": "t" * 50_000}) for n in range(40)]
    async with KafkaLog(settings) as log:
        positions = await log.append(records)
        assert [position.offset for position in positions] == [*range(40)]
        assert log.in_flight_bytes == 0


async def test_more_than_the_bound_in_flight_is_refused(kafka: Settings) -> None:
    async with KafkaLog(fresh(kafka, max_in_flight_bytes=2_000)) as log:
        accepted = []
        with pytest.raises(LogUnavailable, match="keep up"):
            for number in range(1_000):
                accepted += [log.append([numbered_hit(number)])]
        await asyncio.gather(*accepted)
        await log.append([numbered_hit(5_000)])


async def test_every_compression_is_read_back(kafka: Settings) -> None:
    for compression in ("none", "gzip", "lz4", "zstd"):
        async with KafkaLog(fresh(kafka, partitions=1, compression=compression)) as log:
            await log.append([numbered_hit(number) for number in range(100)])
            found = await read(log, Position(0, 0), 100)
            assert [record for _, record in found] == [
                numbered_hit(number) for number in range(100)
            ]


async def test_a_topic_that_forgets_too_soon_is_refused(kafka: Settings) -> None:
    settings = fresh(kafka, retention_h=24)
    async with KafkaLog(settings):
        pass
    async with KafkaLog(settings.model_copy(update={"retention_h": 12})):
        pass
    with pytest.raises(Misconfigured, match="keeps records for 24 h only"):
        async with KafkaLog(settings.model_copy(update={"retention_h": 48})):
            pass


async def test_more_copies_than_brokers_are_refused(kafka: Settings) -> None:
    with pytest.raises(Misconfigured, match="can't be made"):
        async with KafkaLog(fresh(kafka, replication=3, min_insync=2)):
            pass


async def test_a_record_that_is_not_there_is_no_endless_wait(kafka: Settings) -> None:
    async with KafkaLog(fresh(kafka, partitions=1)) as log:
        await log.append([numbered_hit(1)])
        with pytest.raises(Misconfigured, match="no record 7"):
            await read(log, Position(0, 7), 1)


@pytest.mark.drill
async def test_a_broker_that_dies_is_told_and_found_again(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        await machine.up(only=["kafka"])
        settings = fresh(settings_of(machine), partitions=2, append_timeout_s=1.0)
        async with KafkaLog(settings) as log:
            (first,) = await log.append([numbered_hit(1)])
            broker = machine.processes.find("kafka-1")
            assert broker is not None
            machine.processes.end([broker], 0)
            with pytest.raises(LogUnavailable, match="not confirmed"):
                await log.append([numbered_hit(1)])
            assert log.fault is not None
            with pytest.raises(LogUnavailable):
                log.append([numbered_hit(1)])
            await machine.up(only=["kafka"])
            async with asyncio.timeout(PATIENCE_S):
                while log.fault is not None:
                    await asyncio.sleep(0.05)
            (last,) = await log.append([numbered_hit(1)])
            found = await read(log, first, last.offset - first.offset + 1)
            assert all(record == numbered_hit(1) for _, record in found)
            broker = machine.processes.find("kafka-1")
            assert broker is not None
            machine.processes.end([broker], 0)
            log.append([numbered_hit(2)])
        # It closes, though nobody will ever confirm that.
    finally:
        machine.down()
