"""The contract of every `EventLog`, for the tests of a backend."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from analytics.event import Drop, DropReason, LogRecord
from analytics.stream.base import EventLog, Position
from analytics.stream.record import decode
from analytics.testing.builders import numbered_hit

SITE = "example.com"


def drop(number: int) -> Drop:
    """Return a drop received at *number* ms."""
    return Drop(site=SITE, received_at=number, reason=DropReason.SHIELD_IP)


async def read(log: EventLog, start: Position, count: int) -> list[tuple[Position, LogRecord]]:
    """Return the *count* records from *start* on, each with its position."""
    records: list[tuple[Position, LogRecord]] = []
    async with aclosing(log.read(start, limit=100)) as following:
        async for batch in following:
            for i, payload in enumerate(batch.records):
                at = Position(batch.start.partition, batch.start.offset + i)
                records.append((at, decode(payload)))
            if len(records) >= count:
                break
    return records


async def _append_pair(log: EventLog, number: int) -> Sequence[Position]:
    return await log.append([numbered_hit(number), numbered_hit(number + 100)])


class EventLogContract:
    """Subclass it, provide a `log` fixture of one partition, and inherit every test."""

    @pytest.fixture
    async def log(self) -> EventLog:
        """An open, empty log."""
        raise NotImplementedError

    async def test_what_was_appended_is_read_back_in_order(self, log: EventLog) -> None:
        """Hits and drops come back equal, in the order of the calls."""
        sent: Sequence[LogRecord] = [numbered_hit(1), drop(2), numbered_hit(3)]
        await log.append(sent)
        await log.append([numbered_hit(4)])
        (start, _end), *_ = await log.ends()
        records = await read(log, start, 4)
        assert [record for _, record in records] == [*sent, numbered_hit(4)]

    async def test_append_tells_where_each_record_lies(self, log: EventLog) -> None:
        """Reading from a position that append returned begins with that record."""
        positions = await log.append([numbered_hit(number) for number in range(5)])
        assert [at for at, _ in await read(log, positions[0], 5)] == list(positions)
        (at, record), *_ = await read(log, positions[3], 2)
        assert (at, record) == (positions[3], numbered_hit(3))

    async def test_offsets_are_dense(self, log: EventLog) -> None:
        """No offset is skipped, whoever appends, so that gaps can be noticed."""
        appended = await asyncio.gather(*(_append_pair(log, i) for i in range(50)))
        offsets = sorted(position.offset for positions in appended for position in positions)
        assert offsets == list(range(offsets[0], offsets[0] + 100))

    async def test_records_of_one_append_stay_together(self, log: EventLog) -> None:
        """They have consecutive offsets, even with concurrent appends."""
        appended = await asyncio.gather(*(_append_pair(log, i) for i in range(50)))
        assert all(one.offset + 1 == other.offset for one, other in appended)

    async def test_a_reader_at_the_end_waits_for_what_comes(self, log: EventLog) -> None:
        """`read` goes on when more is appended."""
        (start, _end), *_ = await log.ends()
        reading = asyncio.create_task(read(log, start, 2))
        await log.append([numbered_hit(1)])
        await log.append([numbered_hit(2)])
        assert [record for _, record in await reading] == [numbered_hit(1), numbered_hit(2)]

    async def test_ends_tell_the_next_offset(self, log: EventLog) -> None:
        """The end moves by as many as were appended."""
        (_start, before), *_ = await log.ends()
        await log.append([numbered_hit(1), numbered_hit(2), numbered_hit(3)])
        (_start, after), *_ = await log.ends()
        assert after.offset == before.offset + 3

    async def test_what_is_not_released_stays(self, log: EventLog) -> None:
        """Releasing up to a position keeps that record and all behind it."""
        positions = await log.append([numbered_hit(number) for number in range(10)])
        await log.release(positions[5])
        records = await read(log, positions[5], 5)
        assert [record for _, record in records] == [
            numbered_hit(number) for number in range(5, 10)
        ]

    async def test_a_cancelled_wait_takes_nothing_back(self, log: EventLog) -> None:
        """A cancelled append does not affect others."""

        async def wait(number: int) -> Sequence[Position]:
            return await log.append([numbered_hit(number)])

        abandoned, kept = asyncio.create_task(wait(1)), asyncio.create_task(wait(2))
        await asyncio.sleep(0)
        abandoned.cancel()
        (position,) = await kept
        ((_, record),) = await read(log, position, 1)
        assert record == numbered_hit(2)
