"""The alarm for a job that is so late that the topic may forget what is not folded yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog

from analytics.background import BackgroundThread, LoopState
from analytics.job.partition.state_directory import StateDirectory
from analytics.settings import KafkaSettings
from analytics.stream.base import Position
from analytics.stream.kafka import reader, topic

log = structlog.get_logger()

_EVERY_S: Final = 30.0
_SHARE: Final = 2
"""An alarm is raised when the second half of the retention has begun."""


class LagStatus(NamedTuple):
    """How late the job is, and how late it may be."""

    age_ms: int
    """How long the oldest record that is not folded has lain in the topic; 0 without any."""
    kept_ms: int | None
    """How long the topic keeps a record; None when it does for ever."""
    fault: str | None
    """Why somebody must do something; None when nobody must."""
    partitions: int = 0
    """How many the topic has; 0 before that is known."""


class LagAlarm:
    """Looks now and then, in a thread of its own, while its `with` block runs."""

    def __init__(
        self, states: StateDirectory, kafka: KafkaSettings, every_s: float = _EVERY_S
    ) -> None:
        self._states = states
        self._kafka = kafka
        self._looking = BackgroundThread(
            "lag-alarm",
            self._look,
            every_s=every_s,
            meanwhile="Nobody is warned before Kafka forgets records that are not folded.",
            first_after_s=every_s,
        )
        self.lateness = LagStatus(0, None, None)
        """As it was found last."""

    def __enter__(self) -> LagAlarm:
        self._looking.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._looking.__exit__()

    @property
    def loop(self) -> LoopState:
        """The state of its background loop."""
        return self._looking.state

    def _look(self) -> None:
        lateness = asyncio.run(
            look(self._kafka, self._states.next_offsets(), time.time_ns() // 1_000_000)
        )
        if lateness.fault is not None and self.lateness.fault is None:
            log.error("records_nearly_forgotten", error=lateness.fault)
        self.lateness = lateness


async def look(kafka: KafkaSettings, next_offsets: Mapping[int, int], now: int) -> LagStatus:
    """How late who has folded each partition up to *next_offsets* is. Raises `LogUnavailable`."""
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
