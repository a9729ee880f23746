"""Append records and wait until they are durable: for dead letters and repairs, not for hits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from analytics.settings import KafkaSettings
from analytics.stream.kafka.connection import failure, options


class Sender:
    """An open producer."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes]],
        *,
        partition: int | None = None,
    ) -> None:
        """Return when all (key, value) of *records* are durable, in their order."""
        sent = [
            await self._producer.send(topic, value, key=key, partition=partition)
            for key, value in records
        ]
        await self._producer.flush()
        for each in sent:
            await each


@asynccontextmanager
async def sending(kafka: KafkaSettings) -> AsyncIterator[Sender]:
    """Yield a sender while the block runs. Raise `LogUnavailable`."""
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, **options(kafka, client="analytics-sender")
    )
    try:
        await producer.start()
        yield Sender(producer)
    except (KafkaError, OSError) as exc:
        raise await failure(kafka, "Kafka can't be written", exc) from exc
    finally:
        await producer.stop()
