"""The event log in a topic of Kafka.

What `append` acked is on `min.insync.replicas` brokers (`acks=all`); the producer is idempotent, so
the driver's own retries neither double nor reorder. From the moment that an append failed, every
further one is refused until the callbacks of the failed ones have run: who puts them elsewhere can
keep their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from analytics import extras
from analytics.errors import LogUnavailable, Misconfigured
from analytics.event import Hit, LogRecord
from analytics.settings import Kafka
from analytics.stream import record as records_
from analytics.stream.base import Appending, Batch, EventLog, Position
from analytics.stream.kafka import reader, topic
from analytics.stream.kafka.connection import options
from analytics.stream.kafka.lane import BATCH_BYTES, Append, Item, Lane
from analytics.stream.sharding import partition_of

log = structlog.get_logger()

_FIRST_S: Final = 10.0
"""How long an opening waits for Kafka before it goes on without."""
_RETRY_S: Final = 1.0
_REFUSED_S: Final = 10.0
_REQUEST_MS: Final = 30_000
_CLOSE_S: Final = 5.0


class KafkaLog:
    """An `EventLog` with one partition for each of the topic's."""

    def __init__(self, settings: Kafka) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._lanes: Sequence[Lane] = ()
        self._in_flight = 0
        self._down: str | None = "Kafka was not reached yet"
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def fault(self) -> str | None:
        """Why an append would be refused now; None when it would not."""
        return self._down or next((lane.stalled for lane in self._lanes if lane.stalled), None)

    @property
    def in_flight_bytes(self) -> int:
        """What was appended and is not confirmed."""
        return self._in_flight

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._connecting = self._loop.create_task(self._connect())
        # Hits can be taken without Kafka, so a start does not wait for it for ever.
        await asyncio.wait([self._connecting], timeout=_FIRST_S)
        if self._connecting.done():
            await self._connecting  # raises `Misconfigured`: there is still time to say so
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._down = "the log is closed"
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._producer is not None:
            await self._retire(self._producer)
        if self._closing:
            await asyncio.gather(*self._closing)

    # Being connected

    async def _connect(self) -> None:
        """Try until there is a producer. Raises `Misconfigured` when the topic can't be used."""
        while True:
            try:
                await topic.ensure(self._settings)
                await self._open_producer()
            except (LogUnavailable, KafkaError, OSError) as exc:
                self._down = str(exc)
                log.warning("kafka_unreachable", error=str(exc))
                await asyncio.sleep(_RETRY_S)
            except Misconfigured as exc:
                self._down = str(exc)
                log.error("kafka_refused", error=str(exc))  # noqa: TRY400 - the text says it all
                raise
            else:
                return

    async def _open_producer(self) -> None:
        settings = self._settings
        try:
            producer = AIOKafkaProducer(
                acks="all",
                enable_idempotence=True,
                compression_type=None if settings.compression == "none" else settings.compression,
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=_REQUEST_MS,
                **options(settings, client="analytics"),
            )
        except RuntimeError as exc:
            raise Misconfigured(
                f"kafka.compression {settings.compression} needs a package that is not installed: "
                f"{extras.install_command('cluster')}, or choose gzip"
            ) from exc
        try:
            await producer.start()
            partitions = await producer.partitions_for(settings.topic)
        except BaseException:
            await self._retire(producer)
            raise
        self._producer = producer
        self._lanes = [
            Lane(
                producer,
                settings.topic,
                number,
                linger_s=settings.linger_ms / 1000,
                timeout_s=settings.append_timeout_s,
                left=self._left,
                broken=self._broken,
            )
            for number in range(len(partitions))
        ]
        self._down = None
        log.info("kafka_connected", topic=settings.topic, partitions=len(partitions))

    def _left(self, size: int) -> None:
        self._in_flight -= size

    def _broken(self, fault: str) -> None:
        """After a failed batch the driver's numbering has a hole: only a new producer goes on."""
        if self._down is not None:
            return
        self._down = fault
        log.warning("kafka_append_failed", error=fault)
        if self._producer is not None:
            task = self._loop.create_task(self._retire(self._producer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._producer = None
            self._connecting = self._loop.create_task(self._reconnect(task))

    async def _reconnect(self, retiring: asyncio.Task[None]) -> None:
        # What the old producer still has may arrive, and nothing may overtake it.
        await asyncio.wait([retiring])
        while self._producer is None:
            with suppress(Misconfigured):  # said already, and shown by `fault`
                await self._connect()
                continue
            # It worked before: who has changed a password or a topic will make it good again.
            await asyncio.sleep(_REFUSED_S)

    async def _retire(self, producer: AIOKafkaProducer) -> None:
        """Close *producer*; what no broker takes within some seconds is given up."""
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait([stopping], timeout=_CLOSE_S)
        if not stopping.done():
            # The driver's own way out waits for a broker, for ever; it has no other for this case.
            sender = producer._sender.sender_task  # noqa: SLF001
            if sender is not None:
                sender.cancel()
            producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
            await producer.client.close()
        with suppress(KafkaError, OSError, asyncio.CancelledError):
            await stopping

    # Appending

    def append(self, records: Sequence[LogRecord]) -> Appending:
        """See `EventLog.append`. Raises `LogUnavailable` at once while Kafka is away."""
        fault = self.fault
        if fault is not None:
            raise LogUnavailable(fault, retry_after=5)
        payloads = [records_.encode(record) for record in records]
        size = sum(map(len, payloads))
        if self._in_flight + size > self._settings.max_in_flight_bytes:
            raise LogUnavailable("Kafka does not keep up with the hits that arrive")
        self._in_flight += size
        append = Append(len(records))
        lanes = self._lanes
        for index, (record, payload) in enumerate(zip(records, payloads, strict=True)):
            lane = lanes[partition_of(record, len(lanes))]
            lane.add(Item(append, index, _key(record), payload))
        return append.appending

    # Reading

    def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        """See `EventLog.read`."""
        return reader.read(self._settings, start, limit=limit)

    async def release(self, before: Position) -> None:
        """Nothing to do: the topic forgets by time, and others may want to read it."""

    async def ends(self) -> Sequence[tuple[Position, Position]]:
        """See `EventLog.ends`."""
        return await reader.ends(self._settings)


def _key(record: LogRecord) -> bytes:
    if isinstance(record, Hit):
        return f"{record.site} {record.visitor:016x}".encode()
    return record.site.encode()


_: type[EventLog] = KafkaLog
