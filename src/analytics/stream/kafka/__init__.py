"""The event log of a cluster: a topic of Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics import extras
from analytics.settings import KafkaSettings

if TYPE_CHECKING:
    from analytics.stream.kafka.log import KafkaLog

__all__ = ["kafka_log"]


def kafka_log(settings: KafkaSettings) -> KafkaLog:
    """Return the log in the topic of *settings*. Raise `Misconfigured` without the driver."""
    extras.require("log.backend kafka", "aiokafka")
    from analytics.stream.kafka.log import KafkaLog

    return KafkaLog(settings)
