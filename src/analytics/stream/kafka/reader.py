"""Reading a topic back, partition by partition."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError

from analytics.errors import Corrupt, Misconfigured
from analytics.settings import KafkaSettings
from analytics.stream.base import Batch, Position
from analytics.stream.kafka.connection import failure, options

_LOOK_S: Final = 20.0


async def read(
    settings: KafkaSettings, start: Position, *, limit: int
) -> AsyncGenerator[Batch, None]:
    """See `EventLog.read`."""
    consumer = _consumer(settings)
    partition = TopicPartition(settings.topic, start.partition)
    expected = start.offset
    try:
        await consumer.start()
        consumer.assign([partition])
        consumer.seek(partition, start.offset)
        while True:
            fetched = await consumer.getmany(partition, timeout_ms=1000, max_records=limit)
            records = fetched.get(partition, ())
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


async def ends(settings: KafkaSettings) -> Sequence[tuple[Position, Position]]:
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


class Appended(NamedTuple):
    """A record in the topic, with the time of its append in milliseconds."""

    at: int
    """When it was appended (UTC ms)."""
    payload: bytes


async def records_at(
    settings: KafkaSettings, positions: Iterable[Position]
) -> Mapping[Position, Appended]:
    """Return the records at *positions*. One that the topic does not have (any more) is left out.

    Raises `LogUnavailable`.
    """
    queues: dict[TopicPartition, deque[Position]] = {}
    for each in sorted(positions):
        partition = TopicPartition(settings.topic, each.partition)
        queues.setdefault(partition, deque()).append(each)
    appended: dict[Position, Appended] = {}
    if not queues:
        return appended
    consumer = _consumer(settings)
    try:
        await consumer.start()
        first = await consumer.beginning_offsets([*queues])
        following = await consumer.end_offsets([*queues])
        for partition, waiting in [*queues.items()]:
            kept = range(first[partition], following[partition])
            queues[partition] = deque(each for each in waiting if each.offset in kept)
        async with asyncio.timeout(_LOOK_S):
            while queues := {each: waiting for each, waiting in queues.items() if waiting}:
                consumer.assign([*queues])
                for partition, waiting in queues.items():
                    consumer.seek(partition, waiting[0].offset)
                remaining = set(queues)
                while remaining:
                    try:
                        records = await consumer.getmany(*remaining, timeout_ms=1000, max_records=1)
                    except OffsetOutOfRangeError as exc:  # forgotten meanwhile
                        missing = remaining.intersection(exc.args[0])
                        for partition in missing:
                            queues[partition].popleft()
                        remaining -= missing
                        continue
                    for partition, (record, *_) in records.items():
                        position = queues[partition].popleft()
                        appended[position] = Appended(record.timestamp, record.value or b"")
                        remaining.discard(partition)
    except (KafkaError, OSError, TimeoutError) as exc:
        what = "Kafka does not tell what its topic has"
        raise await failure(settings, what, exc) from exc
    finally:
        await consumer.stop()
    return appended


def _consumer(settings: KafkaSettings, *topics: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *topics,
        enable_auto_commit=False,
        auto_offset_reset="none",
        **options(settings, client="analytics-reader"),
    )
