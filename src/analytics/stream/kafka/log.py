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
from analytics.background import BackgroundLoop, LoopState
from analytics.errors import LogUnavailable, Misconfigured
from analytics.event import Hit, LogRecord
from analytics.settings import KafkaSettings
from analytics.sharding import partition_of
from analytics.stream import record as records_
from analytics.stream.base import Appending, Batch, EventLog, Position
from analytics.stream.kafka import reader, topic
from analytics.stream.kafka.connection import options
from analytics.stream.kafka.partition_sender import BATCH_BYTES, Append, Item, PartitionSender

log = structlog.get_logger()

_FIRST_S: Final = 10.0
"""How long an opening waits for Kafka before it goes on without."""
_LONGEST_PAUSE_S: Final = 3.0
_REQUEST_MS: Final = 30_000
_CLOSE_S: Final = 5.0


class KafkaLog:
    """An `EventLog` with one partition for each of the topic's."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._lanes: Sequence[PartitionSender] = ()
        self._in_flight = 0
        self._down: str | None = "Kafka was not reached yet"
        self._connecting = BackgroundLoop(
            "kafka-connection",
            self._connect,
            every_s=None,
            meanwhile="Hits are kept on this server's own disk until Kafka can be used.",
            longest_pause_s=_LONGEST_PAUSE_S,
        )
        self._tried = asyncio.Event()
        """Set when Kafka was reached, or has refused what the settings ask for."""
        self._refused: Misconfigured | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def fault(self) -> str | None:
        """The reason why an append would be refused now; None if it would not."""
        return self._down or next((lane.stalled for lane in self._lanes if lane.stalled), None)

    @property
    def in_flight_bytes(self) -> int:
        """The bytes that were appended and are not confirmed."""
        return self._in_flight

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._connecting.start()
        # Hits are accepted without Kafka, so a start waits for it only for a while.
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_S):
                await self._tried.wait()
        if self._refused is not None:  # refuse to start
            await self._connecting.stop()
            raise self._refused
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._down = "the log is closed"
        await self._connecting.stop()
        if self._producer is not None:
            await self._retire(self._producer)
        if self._closing:
            await asyncio.gather(*self._closing)

    # Being connected

    @property
    def loops(self) -> Sequence[LoopState]:
        """The state of its background loop."""
        return (self._connecting.state,)

    async def _connect(self) -> None:
        """Connect a producer. Raise `LogUnavailable`, or `Misconfigured` for an unusable topic."""
        if self._closing:
            # What the old producer still has may arrive, and nothing may overtake it.
            await asyncio.wait(self._closing)
        self._refused = None
        try:
            await topic.ensure(self._settings)
            await self._open_producer()
        except (LogUnavailable, KafkaError, OSError) as exc:
            self._down = str(exc)
            raise LogUnavailable(f"Kafka cannot be reached: {exc}") from exc
        except Misconfigured as exc:
            # It may have worked before: changing a password or a topic back makes it work again.
            self._down = str(exc)
            self._refused = exc
            self._tried.set()
            raise
        self._tried.set()

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
            PartitionSender(
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
            self._connecting.start()

    async def _retire(self, producer: AIOKafkaProducer) -> None:
        """Close *producer*; drop what no broker accepts within `_CLOSE_S`."""
        stopping = asyncio.ensure_future(producer.stop())
        await asyncio.wait([stopping], timeout=_CLOSE_S)
        if not stopping.done():
            # The driver's own `stop` waits for a broker indefinitely, and it offers nothing else.
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
