"""One partition's way to the broker: what gathers while a group is under way forms the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from analytics.errors import LogUnavailable
from analytics.stream.base import Appending, Position

log = structlog.get_logger()

BATCH_BYTES: Final = 512 * 1024


class Append:
    """One call of `append`, until every record of it is confirmed."""

    __slots__ = ("appending", "missing", "positions")

    def __init__(self, count: int) -> None:
        self.missing = count
        self.positions: list[Position] = [Position(-1, -1)] * count
        self.appending = Appending(self.positions)

    def confirmed(self, place: int, position: Position) -> None:
        """Note where record *place* of the call lies."""
        self.positions[place] = position
        self.missing -= 1
        if self.missing == 0 and not self.appending.ended:
            self.appending.end()

    def failed(self, fault: str) -> None:
        """Tell who waits that it is not known to be durable."""
        if not self.appending.ended:
            self.appending.end(LogUnavailable(fault, retry_after=5))


class Item(NamedTuple):
    """A record on its way."""

    append: Append
    place: int
    key: bytes
    payload: bytes


class PartitionSender:
    """Sends one group after the other, so that none can overtake another."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        *,
        linger_s: float,
        timeout_s: float,
        left: Callable[[int], None],
        broken: Callable[[str], None],
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._linger_s = linger_s
        self._timeout_s = timeout_s
        self._left = left  # called with the number of bytes that are no longer in flight
        self._broken = broken  # called with the reason when the producer becomes unusable
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Item] = []
        self._sending: asyncio.Task[None] | None = None
        self.stalled: str | None = None
        """The reason why nothing may be added now: Kafka has not confirmed what was sent."""

    def add(self, item: Item) -> None:
        """Send *item* with the next group."""
        self._waiting.append(item)
        if self._sending is None:
            self._sending = self._loop.create_task(self._send())

    async def _send(self) -> None:
        """Send groups for as long as there are any."""
        try:
            await asyncio.sleep(self._linger_s)
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._send_group(group)
        finally:
            self._sending = None

    async def _send_group(self, group: Sequence[Item]) -> None:
        # The driver retries an idempotent batch until it is confirmed. Callers get an error sooner,
        # but the lane stays shut, so that nothing can overtake records that may still arrive.
        overdue = self._loop.call_later(self._timeout_s, self._overdue, group)
        sent: list[tuple[Sequence[Item], asyncio.Future[RecordMetadata]]] = []
        try:
            await self._hand_over(group, sent)
        except Exception as exc:
            if not isinstance(exc, KafkaError | OSError):
                log.exception("kafka_append_met_an_unexpected_error")
            self._fail(group, exc)
        bases = await asyncio.gather(*(future for _part, future in sent), return_exceptions=True)
        for (part, _future), base in zip(sent, bases, strict=True):
            if isinstance(base, BaseException):
                self._fail(group, base)
            elif base.offset < 0:
                self._fail(group, KafkaError("it was written, and the broker forgot where"))
            else:
                for offset, item in enumerate(part, base.offset):
                    item.append.confirmed(item.place, Position(self._partition, offset))
        overdue.cancel()
        self.stalled = None
        self._left(sum(len(item.payload) for item in group))

    async def _hand_over(
        self,
        group: Sequence[Item],
        sent: list[tuple[Sequence[Item], asyncio.Future[RecordMetadata]]],
    ) -> None:
        """Give the driver *group*, in as many batches as it takes; they are noted in *sent*."""
        batch, part = self._producer.create_batch(), list[Item]()
        for item in group:
            if batch.append(timestamp=None, key=item.key, value=item.payload) is None:
                sent.append((part, await self._submit(batch)))
                batch, part = self._producer.create_batch(), []
                batch.append(timestamp=None, key=item.key, value=item.payload)
            part.append(item)
        sent.append((part, await self._submit(batch)))

    async def _submit(self, batch: BatchBuilder) -> asyncio.Future[RecordMetadata]:
        batch.close()
        future: asyncio.Future[RecordMetadata] = await self._producer.send_batch(
            batch, self._topic, partition=self._partition
        )
        return future

    def _overdue(self, group: Sequence[Item]) -> None:
        self.stalled = f"Kafka has not confirmed anything for {self._timeout_s:g} s"
        self._refuse(group, self.stalled)

    def _fail(self, group: Sequence[Item], error: BaseException) -> None:
        fault = f"Kafka did not take it: {error!r}"
        self._refuse(group, fault)
        self._broken(fault)

    def _refuse(self, group: Sequence[Item], fault: str) -> None:
        """Tell those of *group*, and of what waits behind it, in their order."""
        behind, self._waiting = self._waiting, []
        for item in (*group, *behind):
            item.append.failed(fault)
        self._left(sum(len(item.payload) for item in behind))
