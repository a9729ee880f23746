"""Kafka dies under load: every hit is acked all the same, and reaches the topic in the end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest
from tests.real import PATIENCE_S, kill, machine_in, settings_of

from analytics.event import Hit
from analytics.stream.base import Position
from analytics.stream.kafka.log import KafkaLog
from analytics.stream.spool import Spool, SpoolLimits
from analytics.stream.spool_mark import FIRST_NUMBER
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import read

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

VISITORS = 24


class Load:
    """Visitors who send one hit after the other, each soon after the last one was acked."""

    def __init__(self, log: Spool) -> None:
        self._log = log
        self.acked: defaultdict[int, list[int]] = defaultdict(list)
        self.spooled = 0
        self.ended = asyncio.Event()

    @property
    def count(self) -> int:
        return sum(map(len, self.acked.values()))

    async def visit(self, visitor: int) -> None:
        number = 0
        while not self.ended.is_set():
            (position,) = await self._log.append([one(visitor, number)])
            self.acked[visitor].append(number)
            self.spooled += position.partition >= FIRST_NUMBER
            number += 1
            await asyncio.sleep(0.002)

    async def more(self, count: int) -> None:
        """Return when as many further hits are acked."""
        goal = self.count + count
        while self.count < goal:
            await asyncio.sleep(0.01)


def one(visitor: int, number: int) -> Hit:
    event_id = f"{visitor:08x}-0000-7000-8000-{number:012x}"
    return numbered_hit(number, event_id=event_id, site="drill.example", visitor=visitor)


async def stored(log: Spool) -> dict[int, list[int]]:
    """What the topic holds of each visitor, in its order, each hit where it came first."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for start, end in await log.ends():
        if end.offset > start.offset:
            for _, record in await read(log, Position(start.partition, 0), end.offset):
                assert isinstance(record, Hit)
                assert record == one(record.visitor, record.ts), "a duplicate is the same hit"
                found[record.visitor].setdefault(record.event_id, record.ts)
    return {visitor: [*numbers.values()] for visitor, numbers in found.items()}


async def test_kill_9_of_the_only_broker_costs_no_hit_and_no_order(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        await machine.up(only=["kafka"])
        kafka = KafkaLog(settings_of(machine).kafka)
        limits = SpoolLimits(after_s=1, retry_after_s=1)
        async with Spool(kafka, tmp_path / "spool", limits=limits) as log:
            load = Load(log)
            visitors = [asyncio.create_task(load.visit(number)) for number in range(VISITORS)]
            await load.more(1_000)
            assert load.spooled == 0
            for _round in range(2):
                kill(machine, "kafka-1")
                await load.more(2_000)
                assert log.spooling
                await machine.up(only=["kafka"])
                async with asyncio.timeout(PATIENCE_S):
                    while log.spooling:
                        await asyncio.sleep(0.05)
                await load.more(500)
            load.ended.set()
            await asyncio.gather(*visitors)
            print(f"acked {load.count}, of them {load.spooled} by the spool")
            assert load.spooled >= 2_000
            assert await stored(log) == load.acked
    finally:
        machine.down()
