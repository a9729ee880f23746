"""Who fills the disk, and how soon it is full, is said before hits are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from analytics.disk_forecast import DiskFillsUp, DiskForecast
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.testing.contracts.catalog import HandClock
from analytics.units import DAY_MS, HOUR_MS

MB = 1_000_000
NOON = 1_700_000_000_000 // DAY_MS * DAY_MS + 12 * HOUR_MS


def line(stored: int) -> LedgerLine:
    return LedgerLine(stored, stored, 0, {}, 0)


class Disk:
    """A folder that grows, beside a ledger, on a disk with so much free."""

    def __init__(self, folder: Path, *, free: int, ledger: Mapping[LedgerKey, LedgerLine]) -> None:
        self.clock = HandClock(NOON - 6 * HOUR_MS)
        self.file = folder / "journal" / "0.seg"
        self.file.parent.mkdir()
        self.grow(MB)

        async def read(span: tuple[int, int]) -> Mapping[LedgerKey, LedgerLine]:
            return {key: line for key, line in ledger.items() if span[0] <= key.hour < span[1]}

        self.forecast = DiskForecast(
            folder, read, self.clock, least_free=100 * MB, warn_days=7, free=lambda: free
        )

    def grow(self, size: int) -> None:
        with self.file.open("ab") as file:
            file.truncate(file.tell() + size)

    async def hours(self, count: int, *, mb_each: int) -> None:
        """Let so many hours pass, with a step every ten minutes."""
        for _ in range(6 * count):
            self.grow(mb_each * MB // 6)
            self.clock.at_ms += HOUR_MS // 6
            await self.forecast.step()


def usual(days: int = 9) -> dict[LedgerKey, LedgerLine]:
    """Return a ledger of two sites with 240 and 120 events a day."""
    hours = range(NOON - days * DAY_MS, NOON, HOUR_MS)
    return {
        LedgerKey(site, hour): line(stored)
        for hour in hours
        for site, stored in (("shop.example", 10), ("blog.example", 5))
    }


async def test_a_disk_that_lasts_is_not_warned_of(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=100 * MB + 2400 * MB, ledger=usual())
    await disk.hours(6, mb_each=10)
    assert disk.forecast.days_left == pytest.approx(10, rel=0.01)


async def test_a_disk_that_is_full_within_days_is_warned_of_with_the_site_that_fills_it(
    tmp_path: Path,
) -> None:
    ledger = usual()
    ledger[LedgerKey("shop.example", NOON - 7 * HOUR_MS)] = line(120_000)
    disk = Disk(tmp_path, free=100 * MB + 720 * MB, ledger=ledger)
    with pytest.raises(DiskFillsUp) as warned:
        await disk.hours(6, mb_each=10)
    assert disk.forecast.days_left == pytest.approx(3, rel=0.01)
    text = str(warned.value)
    assert "At the rate of the last 1 hour the disk is full in 3 days" in text
    assert "shop.example stored 120,230 events in the last 24 hours (usually 240 a day)" in text
    assert "analytics site set shop.example --events-per-day N" in text


async def test_where_no_site_stands_out_none_is_blamed(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=100 * MB + 24 * MB, ledger=usual())
    with pytest.raises(DiskFillsUp, match=r"full in 2[34] hours.*Make room, or keep") as warned:
        await disk.hours(2, mb_each=1)
    assert "shop.example" not in str(warned.value)


async def test_a_site_that_never_had_events_stands_out_too(tmp_path: Path) -> None:
    ledger = {LedgerKey("new.example", NOON - 5 * HOUR_MS): line(1_000_000)}
    disk = Disk(tmp_path, free=100 * MB + 24 * MB, ledger=ledger)
    with pytest.raises(DiskFillsUp, match=r"new.example stored 1,000,000 .*none in the week"):
        await disk.hours(2, mb_each=10)


async def test_nothing_is_said_before_an_hour_has_passed(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=100 * MB + 1, ledger=usual())
    for _ in range(5):
        disk.grow(MB)
        disk.clock.at_ms += HOUR_MS // 6
        await disk.forecast.step()
    assert disk.forecast.days_left == math.inf


async def test_a_copy_of_a_file_that_is_there_for_minutes_is_no_growth(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=100 * MB + 1, ledger=usual())
    await disk.hours(2, mb_each=0)
    copy = tmp_path / "copy"
    copy.write_bytes(b"x" * MB)
    await disk.forecast.step()
    copy.unlink()
    await disk.forecast.step()
    assert disk.forecast.days_left == math.inf


async def test_a_disk_without_room_is_said_to_be_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=0, ledger={})
    with pytest.raises(DiskFillsUp):
        await disk.hours(2, mb_each=1)
    assert disk.forecast.days_left == 0
