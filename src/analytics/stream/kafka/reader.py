"""Reading a topic back, partition by partition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError

from analytics.errors import Corrupt, Misconfigured
from analytics.settings import Kafka
from analytics.stream.base import Batch, Position
from analytics.stream.kafka.connection import failure, options

_LOOK_S: Final = 20.0


async def read(settings: Kafka, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
    """See `EventLog.read`."""
    consumer = _consumer(settings)
    partition = TopicPartition(settings.topic, start.partition)
    expected = start.offset
    try:
        await consumer.start()
        consumer.assign([partition])
        consumer.seek(partition, start.offset)
        while True:
            found = await consumer.getmany(partition, timeout_ms=1000, max_records=limit)
            records = found.get(partition, ())
            if not records:
                continue
            if records[0].offset != expected:
                raise Corrupt(
                    f"{settings.topic}: records {expected} to {records[0].offset - 1} of partition "
                    f"{start.partition} are gone"
                )
            yield Batch(
                Position(start.partition, expected), [record.value or b"" for record in records]
            )
            expected += len(records)
    except OffsetOutOfRangeError as exc:
        raise Misconfigured(
            f"{settings.topic} has no record {expected} in partition {start.partition} (any more): "
            "its retention is shorter than we are behind, or it was made anew"
        ) from exc
    except CorruptRecordException as exc:
        raise Corrupt(f"{settings.topic}, partition {start.partition}: {exc}") from exc
    except (KafkaError, OSError) as exc:
        raise await failure(settings, "Kafka can't be read", exc) from exc
    finally:
        await consumer.stop()


async def ends(settings: Kafka) -> Sequence[tuple[Position, Position]]:
    """See `EventLog.ends`."""
    consumer = _consumer(settings, settings.topic)
    try:
        await consumer.start()
        numbers = consumer.partitions_for_topic(settings.topic) or ()
        partitions = [TopicPartition(settings.topic, number) for number in sorted(numbers)]
        first = await consumer.beginning_offsets(partitions)
        following = await consumer.end_offsets(partitions)
    except (KafkaError, OSError) as exc:
        what = "Kafka does not tell how far its topic goes"
        raise await failure(settings, what, exc) from exc
    finally:
        await consumer.stop()
    return [
        (Position(each.partition, first[each]), Position(each.partition, following[each]))
        for each in partitions
    ]


async def appended_at(settings: Kafka, positions: Sequence[Position]) -> Mapping[Position, int]:
    """When the records at *positions*, one of a partition, were appended (UTC ms).

    One that the topic has forgotten meanwhile is left out. Raises `LogUnavailable`.
    """
    wanted = {TopicPartition(settings.topic, each.partition): each for each in positions}
    found: dict[Position, int] = {}
    consumer = _consumer(settings)
    try:
        await consumer.start()
        consumer.assign([*wanted])
        for partition, position in wanted.items():
            consumer.seek(partition, position.offset)
        async with asyncio.timeout(_LOOK_S):
            while wanted:
                try:
                    records = await consumer.getmany(*wanted, timeout_ms=1000, max_records=1)
                except OffsetOutOfRangeError as exc:
                    for partition in exc.args[0]:
                        wanted.pop(partition, None)
                    continue
                for partition, (first, *_) in records.items():
                    found[wanted.pop(partition)] = first.timestamp
    except (KafkaError, OSError, TimeoutError) as exc:
        what = "Kafka does not tell how old its records are"
        raise await failure(settings, what, exc) from exc
    finally:
        await consumer.stop()
    return found


def _consumer(settings: Kafka, *topics: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *topics,
        enable_auto_commit=False,
        auto_offset_reset="none",
        **options(settings, client="analytics-reader"),
    )
