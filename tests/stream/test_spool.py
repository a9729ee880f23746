"""The spool: hits are taken while the log is away, and reach it in order when it is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.breaker import BreakerState
from analytics.errors import LogUnavailable, NotVisibleYet
from analytics.event import Hit, LogRecord
from analytics.stream import segment
from analytics.stream.base import Appending, Position
from analytics.stream.journal import Journal, JournalLimits
from analytics.stream.spool import Spool, SpoolLimits
from analytics.stream.spool_mark import FIRST_NUMBER
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import EventLogContract, read

JOURNAL = JournalLimits(segment_bytes=20_000, min_free_bytes=0)
QUICK = SpoolLimits(after_s=0.2, retry_after_s=0.05)


class Remote(Journal):
    """A log that can go away: then it refuses, or takes records and does not answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, JournalLimits(min_free_bytes=0))
        self.away = False
        self.silent = False
        self._unanswered: list[Appending] = []

    def append(self, records: Sequence[LogRecord]) -> Appending:
        if self.away:
            raise LogUnavailable("it is away")
        appended = super().append(records)
        if not self.silent:
            return appended
        unanswered = Appending(())
        self._unanswered.append(unanswered)
        return unanswered

    def drop_connections(self) -> None:
        """Whoever waits for an answer learns that there is none."""
        self.away = True
        unanswered, self._unanswered = self._unanswered, []
        for appending in unanswered:
            appending.end(LogUnavailable("the connection is gone"))


class Erring(Remote):
    """A log that meets errors which no handler of it names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.errors: list[Exception] = []

    def append(self, records: Sequence[LogRecord]) -> Appending:
        if self.errors:
            raise self.errors.pop(0)
        return super().append(records)


class TestSpool(EventLogContract):
    """The contract, with the log there."""

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[Spool]:
        async with Spool(Remote(tmp_path / "log"), tmp_path / "spool", journal=JOURNAL) as log:
            yield log


@pytest.fixture
async def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "log")


@pytest.fixture
async def spool(remote: Remote, tmp_path: Path) -> AsyncIterator[Spool]:
    async with Spool(remote, tmp_path / "spool", journal=JOURNAL, limits=QUICK) as spool:
        yield spool


async def drained(spool: Spool) -> None:
    """Return when whatever was spooled is in the log."""
    async with asyncio.timeout(20):
        while spool.spooling:
            await asyncio.sleep(0.005)


async def numbers(remote: Remote) -> list[int]:
    """Which hits the log holds, each where it came first."""
    found = await read(remote, Position(0, 0), remote.next_offset)
    return [*dict.fromkeys(record.visitor for _, record in found if isinstance(record, Hit))]


async def test_hits_are_acked_while_the_log_is_away_and_reach_it_in_order(
    spool: Spool, remote: Remote
) -> None:
    await spool.append([numbered_hit(0)])
    remote.away = True
    for number in range(1, 50):
        (position,) = await spool.append([numbered_hit(number)])
        assert position.partition >= FIRST_NUMBER
    assert spool.backlog == 49
    assert spool.fault is None
    remote.away = False
    await drained(spool)
    assert await numbers(remote) == [*range(50)]
    await spool._backlog.clear()
    assert spool.backlog_bytes == segment.HEADER_BYTES, "and no hit stays on this disk"
    (position,) = await spool.append([numbered_hit(50)])
    assert position.partition == 0, "it goes to the log directly again"


async def test_what_the_log_does_not_answer_is_acked_by_the_journal(
    spool: Spool, remote: Remote
) -> None:
    remote.silent = True
    acks = [spool.append([numbered_hit(number)]) for number in range(20)]
    positions = [position for (position,) in await asyncio.gather(*acks)]
    assert all(position.partition >= FIRST_NUMBER for position in positions)
    remote.drop_connections()
    remote.silent = remote.away = False
    await drained(spool)
    assert await numbers(remote) == [*range(20)]


async def test_what_fails_is_spooled_before_whatever_comes_after_it(
    spool: Spool, remote: Remote
) -> None:
    remote.silent = True
    waiting = [spool.append([numbered_hit(number)]) for number in range(5)]
    remote.drop_connections()
    later = [spool.append([numbered_hit(number)]) for number in range(5, 10)]
    await asyncio.gather(*waiting, *later)
    journal = spool._backlog._journal
    found = await read(journal, Position(0, 0), journal.next_offset)
    assert [record.visitor for _, record in found if isinstance(record, Hit)] == [*range(10)]
    remote.silent = remote.away = False
    await drained(spool)


async def test_senders_that_never_pause_are_taken_back_to_the_log(
    spool: Spool, remote: Remote
) -> None:
    sent = 0
    directly = asyncio.Event()

    async def send() -> None:
        nonlocal sent
        while not directly.is_set():
            number, sent = sent, sent + 1
            await spool.append([numbered_hit(number)])

    remote.away = True
    senders = [asyncio.create_task(send()) for _ in range(8)]
    while spool.backlog < 3_000:
        await asyncio.sleep(0.01)
    remote.away = False
    await drained(spool)
    directly.set()
    await asyncio.gather(*senders)
    assert sorted(await numbers(remote)) == [*range(sent)]


async def test_a_restart_sends_what_was_left(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool", limits=QUICK) as spool:
        await spool.append([numbered_hit(0)])
        remote.away = True
        for number in range(1, 30):
            await spool.append([numbered_hit(number)])
    remote = Remote(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool", limits=QUICK) as spool:
        await spool.append([numbered_hit(30)])
        await drained(spool)
        assert await numbers(remote) == [*range(31)]
    async with Spool(Remote(tmp_path / "log"), tmp_path / "spool", limits=QUICK) as spool:
        assert spool.backlog == 0, "it knows how far it had come"


async def test_closing_keeps_what_the_log_had_not_confirmed(tmp_path: Path) -> None:
    class Dying(Remote):
        async def __aexit__(self, *exc_info: object) -> None:
            self.drop_connections()
            await super().__aexit__(*exc_info)

    remote = Dying(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool") as spool:
        remote.silent = True
        ack = spool.append([numbered_hit(1)])
    assert (await ack)[0].partition >= FIRST_NUMBER


async def test_only_when_the_spool_is_full_too_are_hits_refused(tmp_path: Path) -> None:
    small = JournalLimits(segment_bytes=1_000, max_backlog_bytes=4_000, min_free_bytes=0)
    remote = Remote(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool", journal=small, limits=QUICK) as spool:
        remote.away = True
        acked: list[int] = []
        with pytest.raises(LogUnavailable, match="limit"):
            for number in range(1_000):
                await spool.append([numbered_hit(number)])
                acked.append(number)
        assert spool.fault is not None
        remote.away = False
        await drained(spool)
        assert spool.fault is None
        await spool.append([numbered_hit(2_000)])
        assert await numbers(remote) == [*acked, 2_000]


async def test_a_receipt_of_the_spool_leads_to_the_log(spool: Spool, remote: Remote) -> None:
    remote.away = True
    (position,) = await spool.append([numbered_hit(7)])
    waiting = asyncio.create_task(spool.places(position))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert not waiting.done()
    remote.away = False
    (place,) = await waiting
    found = await read(remote, Position(0, 0), place.offset + 1)
    assert numbered_hit(7) in [record for _, record in found]


async def test_a_receipt_of_another_spool_is_told_apart(spool: Spool) -> None:
    assert await spool.places(Position(3, 9)) == [Position(3, 9)]
    with pytest.raises(NotVisibleYet, match="another replica"):
        await spool.places(Position(FIRST_NUMBER + (1 << 31), 1))


async def test_a_receipt_of_a_record_that_was_never_appended_is_told_apart(
    spool: Spool, remote: Remote
) -> None:
    (direct,) = await spool.append([numbered_hit(1)])
    remote.away = True
    (spooled,) = await spool.append([numbered_hit(2)])
    remote.away = False
    await drained(spool)
    assert await spool.holds([direct, spooled])
    elsewhere = Position(FIRST_NUMBER + (1 << 31), 7)
    assert await spool.holds([elsewhere]), "another replica's spool cannot be asked"
    for never in (
        Position(direct.partition, 99),
        Position(7, 0),
        Position(spooled.partition, spooled.offset + 1),
    ):
        assert not await spool.holds([direct, never])


async def test_the_breaker_leaves_the_log_alone_and_finds_it_again(
    spool: Spool, remote: Remote
) -> None:
    remote.away = True
    await spool.append([numbered_hit(1)])
    async with asyncio.timeout(20):
        while spool.breaker.state is BreakerState.CLOSED:
            await asyncio.sleep(0.005)
    remote.away = False
    await drained(spool)
    assert spool.breaker.state is BreakerState.CLOSED


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_every_visitor_keeps_its_order_whatever_the_log_does(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("order")
    remote = Remote(folder / "log")
    limits = SpoolLimits(after_s=0.02, retry_after_s=0.005)
    acked = 0
    async with Spool(remote, folder / "spool", journal=JOURNAL, limits=limits) as spool:
        for _ in range(chance.randrange(2, 8)):
            match chance.randrange(4):
                case 0:
                    remote.drop_connections()
                case 1:
                    remote.silent = True
                case _:
                    remote.away = remote.silent = False
            count = chance.randrange(1, 40)
            acks = [spool.append([numbered_hit(acked + number)]) for number in range(count)]
            if chance.random() < 0.3:
                remote.drop_connections()
            await asyncio.gather(*acks)
            acked += count
            await asyncio.sleep(chance.choice([0, 0, 0.01]))
        remote.drop_connections()
        remote.away = remote.silent = False
        await drained(spool)
        assert await numbers(remote) == [*range(acked)]


async def test_a_drain_that_met_an_unexpected_error_is_begun_again(tmp_path: Path) -> None:
    remote = Erring(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool", journal=JOURNAL, limits=QUICK) as spool:
        drainer, _ = spool.loops
        remote.away = True
        for number in range(20):
            await spool.append([numbered_hit(number)])
        remote.errors = [OverflowError("of a driver"), ValueError("of another")]
        remote.away = False
        async with asyncio.timeout(20):
            while drainer.error is None:
                await asyncio.sleep(0.001)
        assert (drainer.essential, drainer.code) == (True, "OverflowError")
        await spool.append([numbered_hit(20)])
        assert spool.backlog == 21, "hits are taken meanwhile"
        await drained(spool)
        assert (drainer.error, drainer.failures) == (None, 2)
        assert await numbers(remote) == [*range(21)]
        (position,) = await spool.append([numbered_hit(21)])
        assert position.partition < FIRST_NUMBER


async def test_a_spool_that_cannot_be_read_says_so_until_it_can(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "log")
    remote.away = True
    async with Spool(remote, tmp_path / "spool", journal=JOURNAL, limits=QUICK) as spool:
        for number in range(5):
            await spool.append([numbered_hit(number)])
    (file,) = (tmp_path / "spool").glob("*.seg*")
    whole = file.read_bytes()
    remote = Remote(tmp_path / "log")
    async with Spool(remote, tmp_path / "spool", journal=JOURNAL, limits=QUICK) as spool:
        file.write_bytes(b"\0" * len(whole))
        drainer, _ = spool.loops
        async with asyncio.timeout(20):
            while drainer.fault is None:
                await asyncio.sleep(0.001)
        file.write_bytes(whole)
        await drained(spool)
        assert drainer.fault is None
        assert await numbers(remote) == [*range(5)]
