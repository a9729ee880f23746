"""Warns when the job lags so far behind that Kafka may delete unprocessed records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog

from analytics.background import BackgroundThread
from analytics.job.partition.state_directory import StateDirectory
from analytics.settings import KafkaSettings
from analytics.stream.base import Position
from analytics.stream.kafka import reader, topic

log = structlog.get_logger()

_EVERY_S: Final = 30.0
_SHARE: Final = 2
"""An alarm is raised when the second half of the retention has begun."""


class LagStatus(NamedTuple):
    """The lag of the job behind the topic."""

    age_ms: int
    """Age of the oldest unprocessed record; 0 without any."""
    kept_ms: int | None
    """The topic's retention; None if it keeps records forever."""
    fault: str | None
    """What the operator must act on, or None."""
    partitions: int = 0
    """The topic's number of partitions; 0 until it is known."""


class LagAlarm(BackgroundThread):
    """A background thread that checks the lag while the `with` block runs."""

    def __init__(
        self, states: StateDirectory, kafka: KafkaSettings, every_s: float = _EVERY_S
    ) -> None:
        self._states = states
        self._kafka = kafka
        super().__init__(
            "lag-alarm",
            self._check,
            every_s=every_s,
            meanwhile="There is no warning before Kafka deletes unprocessed records.",
            first_after_s=every_s,
        )
        self.lateness = LagStatus(0, None, None)
        """The result of the last check."""

    def _check(self) -> None:
        lateness = asyncio.run(
            look(self._kafka, self._states.next_offsets(), time.time_ns() // 1_000_000)
        )
        if lateness.fault is not None and self.lateness.fault is None:
            log.error("records_nearly_forgotten", error=lateness.fault)
        self.lateness = lateness


async def look(kafka: KafkaSettings, next_offsets: Mapping[int, int], now: int) -> LagStatus:
    """Return how far the job lags behind the topic at *now* (UTC ms).

    *next_offsets* maps a partition to its first unprocessed offset. Raises `LogUnavailable`.
    """
    kept_ms = await topic.kept_ms(kafka)
    ends = await reader.ends(kafka)
    waiting = [
        Position(oldest.partition, max(oldest.offset, next_offsets.get(oldest.partition, 0)))
        for oldest, end in ends
        if next_offsets.get(oldest.partition, 0) < end.offset
    ]
    since = await reader.records_at(kafka, waiting)
    if not since:
        return LagStatus(0, kept_ms, None, len(ends))
    position, oldest = min(since.items(), key=lambda each: each[1].at)
    age_ms = max(0, now - oldest.at)
    if kept_ms is None or age_ms * _SHARE <= kept_ms:
        return LagStatus(age_ms, kept_ms, None, len(ends))
    return LagStatus(
        age_ms,
        kept_ms,
        f"{kafka.topic} keeps records for {_hours(kept_ms)}, and record {position.offset} of"
        f" partition {position.partition} has waited for {_hours(age_ms)} to be folded: raise the"
        " topic's retention.ms until the job has caught up",
        len(ends),
    )


def _hours(milliseconds: int) -> str:
    return f"{milliseconds / 3_600_000:.3g} h"
