"""The journal: an event log on disk, through crashes and full disks."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.errors import Corrupt, LogUnavailable, Misconfigured
from analytics.stream.base import Position
from analytics.stream.journal import Journal, JournalLimits
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import EventLogContract, read

SMALL = JournalLimits(segment_bytes=2_000, min_free_bytes=0)


class TestJournal(EventLogContract):
    """The contract."""

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[Journal]:
        async with Journal(tmp_path / "journal", SMALL) as log:
            yield log


async def test_a_reopened_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    async with Journal(tmp_path, SMALL) as log:
        await log.append([numbered_hit(number) for number in range(40)])
    async with Journal(tmp_path, SMALL) as log:
        (position,) = await log.append([numbered_hit(40)])
        assert position == Position(0, 40)
        found = await read(log, Position(0, 0), 41)
    assert [record for _, record in found] == [numbered_hit(number) for number in range(41)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.integers(1, 6), min_size=1, max_size=12), data=st.data())
async def test_a_crash_at_any_byte_loses_nothing_that_was_acked(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("crash")
    limits = JournalLimits(segment_bytes=1_500, min_free_bytes=0)
    acked = 0
    log = Journal(folder, limits)
    await log.__aenter__()
    for group in groups:
        await log.append([numbered_hit(acked + i) for i in range(group)])
        acked += group
    # The process ends here: no closing. A write that was under way left any part of itself.
    newest = max(folder.glob("*.seg"))
    torn = data.draw(st.binary(max_size=200))
    with newest.open("r+b") as file:
        file.seek(log._segments._file.size)
        file.write(torn)
    log._segments._file.close()
    log._threads.shutdown()
    async with Journal(folder, limits) as again:
        (_start, end), *_ = await again.ends()
        assert end.offset == acked
        found = await read(again, Position(0, 0), acked)
        assert [record for _, record in found] == [numbered_hit(number) for number in range(acked)]


async def test_damage_inside_the_journal_stops_the_start(tmp_path: Path) -> None:
    async with Journal(tmp_path, JournalLimits(min_free_bytes=0)) as log:
        for number in range(3):
            await log.append([numbered_hit(number)])
    (path,) = tmp_path.glob("*.seg")
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="damaged at byte 16"):
        await Journal(tmp_path).__aenter__()


async def test_a_segment_begun_and_never_written_to_is_no_obstacle(tmp_path: Path) -> None:
    async with Journal(tmp_path, SMALL) as log:
        await log.append([numbered_hit(1)])
    (tmp_path / f"{1:020d}.seg").write_bytes(b"anaJ")
    async with Journal(tmp_path, SMALL) as log:
        assert await log.append([numbered_hit(2)]) == [Position(0, 1)]


async def test_released_segments_are_deleted(tmp_path: Path) -> None:
    async with Journal(tmp_path, SMALL) as log:
        for number in range(60):
            await log.append([numbered_hit(number)])
        before = len(list(tmp_path.glob("*.seg")))
        await log.release(Position(0, 60))
        assert before > 2
        assert len(list(tmp_path.glob("*.seg"))) == 1
        (start, end), *_ = await log.ends()
        found = await read(log, start, end.offset - start.offset)
        assert found[-1][1] == numbered_hit(59)


async def test_a_store_of_another_age_is_refused(tmp_path: Path) -> None:
    async with Journal(tmp_path, SMALL) as log:
        await log.append([numbered_hit(1)])
        with pytest.raises(Misconfigured, match="different ages"):
            await read(log, Position(0, 7), 1)


async def test_a_backlog_over_its_limit_refuses_and_recovers(tmp_path: Path) -> None:
    limits = JournalLimits(segment_bytes=1_000, max_backlog_bytes=3_000, min_free_bytes=0)
    async with Journal(tmp_path, limits) as log:
        acked = []
        with pytest.raises(LogUnavailable, match="limit"):
            for number in range(1_000):
                acked += await log.append([numbered_hit(number)])
        await log.release(acked[-1])
        (again,) = await log.append([numbered_hit(2_000)])
        assert again.offset == acked[-1].offset + 1
        assert log.fault is None


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
async def test_a_full_disk_refuses_without_harm_and_recovers(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    folder = small_disk / "journal"
    limits = JournalLimits(segment_bytes=100_000, min_free_bytes=0)
    async with Journal(folder, limits) as log:
        acked = list(await log.append([numbered_hit(0)]))
        with pytest.raises(OSError, match="space"), ballast.open("wb") as file:
            while True:
                file.write(bytes(65_536))
                file.flush()
        refused = None
        for number in range(1, 20_000):
            try:
                acked += await log.append([numbered_hit(number)])
            except LogUnavailable as error:
                refused = error
                break
        assert refused is not None, "the disk never filled up"
        assert "No space left" in str(refused)
        assert log.fault == str(refused)
        ballast.unlink()
        assert log.fault is None  # before any event comes to prove it
        acked += await log.append([numbered_hit(30_000)])
        assert [position.offset for position in acked] == list(range(len(acked)))
    async with Journal(folder, limits) as log:
        found = await read(log, Position(0, 0), len(acked))
    assert [at for at, _ in found] == acked
    assert found[-1][1] == numbered_hit(30_000)


async def test_a_fault_that_nobody_expects_is_an_answer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No disk raises this; what matters is that nobody waits for ever."""
    async with Journal(tmp_path, SMALL) as log:
        monkeypatch.setattr("analytics.stream.segment.pack", lambda _: 1 / 0)
        with pytest.raises(LogUnavailable, match="fault of its own"):
            await log.append([numbered_hit(1)])
        monkeypatch.undo()
        assert await log.append([numbered_hit(2)]) == [Position(0, 0)]


async def test_a_slow_disk_does_not_hold_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one fault that no real disk shows on demand: a sync that takes its time."""
    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Journal(tmp_path, SMALL) as log:
        log._segments.sync_s = 1.0  # as after some slow syncs
        write = log._segments._file.write

        def slow(data: bytes) -> None:
            asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
            write(data)

        monkeypatch.setattr(log._segments._file, "write", slow)
        appended = log.append([numbered_hit(1)])
        await asyncio.sleep(0)
        released.set()  # which only a loop that goes on can do
        assert await appended == [Position(0, 0)]
