"""Sends dead letters to their topic, where an operator can inspect them and send them again.

A dead letter waits in its partition's state file until Kafka has it, and is in a chunk besides. If
the job is killed in between, a letter may be sent twice, with the same key.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from analytics.background import BackgroundThread
from analytics.job.partition.state_directory import StateDirectory
from analytics.settings import KafkaSettings
from analytics.stream.kafka.producer import sending

log = structlog.get_logger()

_EVERY_S: Final = 2.0
_AT_ONCE: Final = 500


class DeadLetters(BackgroundThread):
    """A background thread that sends dead letters while the `with` block runs."""

    def __init__(self, states: StateDirectory, kafka: KafkaSettings) -> None:
        self._states = states
        self._kafka = kafka
        super().__init__(
            "dead-letters",
            self.step,
            every_s=_EVERY_S,
            meanwhile=f"Records that cannot be decoded wait to be sent to {kafka.dead_topic}.",
        )

    def step(self) -> None:
        """Send all waiting letters. Raises `LogUnavailable`; unsent letters keep waiting."""
        for partition in self._states.partitions():
            with self._states.open(partition) as state:
                while waiting := state.dead_letters(_AT_ONCE):
                    records = [
                        (f"{partition}-{each.offset}: {each.reason}".encode(), each.payload)
                        for each in waiting
                    ]
                    asyncio.run(self._send(records))
                    state.dead_letters_sent(waiting)
                    log.info("dead_letters_sent", partition=partition, letters=len(waiting))

    async def _send(self, records: list[tuple[bytes, bytes]]) -> None:
        async with sending(self._kafka) as sender:
            await sender.send(self._kafka.dead_topic, records)
