"""What makes a topic that was deleted and made anew go on where the old one ended.

Its records have offsets under which others were counted. Appended once more behind those, they are
counted like any other; a record has an id, so to append one twice is no harm.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from analytics.settings import KafkaSettings
from analytics.stream.base import Position
from analytics.stream.kafka import reader, topic
from analytics.stream.kafka.producer import sending

_FILLER: Final = b""
"""A record of no bytes: it only takes an offset, and is never read as a hit."""
_AT_ONCE: Final = 2_000


async def lengthen(settings: KafkaSettings, end: Position) -> None:
    """Append to the partition until it ends at *end* or behind it. Raises `LogUnavailable`."""
    async with sending(settings) as sender:
        while (missing := end.offset - await _end(settings, end.partition)) > 0:
            fillers = [(None, _FILLER)] * min(missing, _AT_ONCE)
            await sender.send(settings.topic, fillers, partition=end.partition)


async def repeat(settings: KafkaSettings, first: Position, before: int) -> int:
    """Append the records from *first* on, which come before *before*, once more; how many."""
    repeated = 0
    at = first.offset
    async with (
        sending(settings) as sender,
        aclosing(reader.read(settings, first, limit=_AT_ONCE)) as batches,
    ):
        while at < before:
            batch = await anext(batches)
            payloads = batch.records[: before - at]
            hits = [(None, each) for each in payloads if each != _FILLER]
            await sender.send(settings.topic, hits, partition=first.partition)
            repeated += len(hits)
            at += len(payloads)
    return repeated


async def forget(settings: KafkaSettings, before: Position) -> None:
    """Delete the records of the partition before *before*. Raises `LogUnavailable`."""
    partition = TopicPartition(settings.topic, before.partition)
    async with topic.administration(settings) as admin:
        await admin.delete_records({partition: RecordsToDelete(before.offset)})


async def _end(settings: KafkaSettings, partition: int) -> int:
    return next(end.offset for _, end in await reader.ends(settings) if end.partition == partition)
