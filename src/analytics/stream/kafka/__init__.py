"""The event log of a cluster: a topic of Kafka, with a spool for while it is away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analytics import extras
from analytics.settings import Kafka, Settings
from analytics.stream.journal import JournalLimits
from analytics.stream.spool import Spool, SpoolLimits

if TYPE_CHECKING:
    from analytics.stream.kafka.log import KafkaLog

__all__ = ["kafka_log", "spooled_kafka"]


def kafka_log(settings: Kafka) -> KafkaLog:
    """The log in the topic that *settings* name. Raises `Misconfigured` without the driver."""
    extras.require("log.backend kafka", "aiokafka")
    from analytics.stream.kafka.log import KafkaLog

    return KafkaLog(settings)


def spooled_kafka(settings: Settings, folder: Path) -> Spool:
    """The same, with a spool in *folder*: what a replica appends to."""
    return Spool(
        kafka_log(settings.kafka),
        folder,
        journal=JournalLimits(
            segment_bytes=settings.journal.segment_bytes,
            max_backlog_bytes=settings.journal.max_backlog_bytes,
            min_free_bytes=settings.journal.min_free_bytes,
        ),
        limits=SpoolLimits(
            after_s=settings.log.spool_after_s, retry_after_s=settings.log.retry_after_s
        ),
    )
