"""A Kafka that was never there: hits are taken by the journal from the first one on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from analytics.breaker import BreakerState, CallOutcome
from analytics.settings import KafkaSettings
from analytics.stream.journal import JournalLimits
from analytics.stream.kafka import kafka_log, log
from analytics.stream.spool import Spool, SpoolLimits
from analytics.stream.spool_mark import FIRST_NUMBER
from analytics.testing.builders import numbered_hit


async def test_hits_are_durable_though_no_broker_was_ever_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_FIRST_S", 0.1)
    kafka = kafka_log(KafkaSettings(bootstrap=("127.0.0.1:1",)))
    limits = SpoolLimits(after_s=0.2, retry_after_s=60)
    async with Spool(
        kafka, tmp_path / "spool", journal=JournalLimits(min_free_bytes=0), limits=limits
    ) as spool:
        async with asyncio.timeout(60):
            while spool.breaker.state is not BreakerState.OPEN:
                (position,) = await spool.append([numbered_hit(0)])
                assert position.partition >= FIRST_NUMBER
        calls = spool.breaker.outcomes[CallOutcome.FAILED]
        for number in range(1, 200):
            await spool.append([numbered_hit(number)])
        assert spool.breaker.outcomes[CallOutcome.FAILED] == calls, "nobody waits for Kafka now"
        assert spool.fault is None
        assert spool.backlog >= 200
