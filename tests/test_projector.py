"""The projector over a real journal and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from analytics.errors import Malformed, StoreUnavailable
from analytics.event import Drop, DropReason
from analytics.pipeline.ledger import WriteBatch
from analytics.projector import Projector
from analytics.store.duckdb import DuckDBStore
from analytics.stream.base import Batch, Position
from analytics.stream.journal import Journal, JournalLimits
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import SITE, drop

LIMITS = JournalLimits(segment_bytes=20_000, min_free_bytes=0)
NOW = 1_764_000_000_000


@asynccontextmanager
async def projecting(
    folder: Path, kind: type[DuckDBStore] = DuckDBStore
) -> AsyncIterator[tuple[Journal, DuckDBStore, Projector]]:
    async with (
        kind(folder / "store.duckdb") as store,
        Journal(folder / "journal", LIMITS) as journal,
        Projector(journal, store, clock=lambda: NOW, linger_s=0.01) as projector,
    ):
        yield journal, store, projector


async def test_what_was_appended_is_stored_and_counted(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, store, projector):
        await journal.append([numbered_hit(1), numbered_hit(2), numbered_hit(1), drop(3)])
        await projector.settle()
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (4, 2, 1)
        assert line.dropped == {DropReason.SHIELD_IP: 1}


async def test_a_restart_goes_on_behind_the_last_transaction(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, _store, projector):
        await journal.append([numbered_hit(number) for number in range(100)])
        await projector.settle()
    async with projecting(tmp_path) as (journal, store, projector):
        assert projector.next_offset == 100
        await journal.append([numbered_hit(number) for number in range(50, 150)])
        await projector.settle()
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (200, 150, 50)


async def test_stored_segments_are_released(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, _store, projector):
        for start in range(0, 1_000, 50):
            await journal.append([numbered_hit(start + i) for i in range(50)])
        await projector.settle()
        await journal.append([numbered_hit(5_000)])
        await projector.settle()
        async with asyncio.timeout(20):
            while len(list((tmp_path / "journal").glob("*.seg"))) > 1:
                await asyncio.sleep(0.01)


async def test_what_cannot_be_read_becomes_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with projecting(tmp_path) as (journal, store, projector):
        # No release of ours writes such bytes; another program's might.
        monkeypatch.setattr("analytics.stream.record.encode", lambda _: b"\xc1nonsense")
        await journal.append([numbered_hit(1)])
        monkeypatch.undo()
        await journal.append([numbered_hit(2)])
        await projector.settle()
        ledger = await store.ledger()
        assert sum(line.dead for line in ledger.values()) == 1
        assert sum(line.stored for line in ledger.values()) == 1
        assert all(line.received == line.stored + line.dead for line in ledger.values())


class Faltering(DuckDBStore):
    """A store whose first writes fail, as on a full disk."""

    faults = 2

    async def write(self, batch: WriteBatch) -> None:
        if self.faults:
            self.faults -= 1
            raise StoreUnavailable("no room")
        await super().write(batch)


async def test_a_write_that_fails_is_tried_again_and_counted_once(tmp_path: Path) -> None:
    async with projecting(tmp_path, Faltering) as (journal, store, projector):
        await journal.append([numbered_hit(1), numbered_hit(2), numbered_hit(2)])
        async with asyncio.timeout(20):
            while projector.fault is None:
                await asyncio.sleep(0.01)
        await projector.settle()
        assert projector.fault is None
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (3, 2, 1)


async def test_a_receipt_is_visible_when_its_row_is_stored(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, store, projector):
        positions = await journal.append([numbered_hit(1), numbered_hit(2)])
        await projector.visible(",".join(map(str, positions)))
        assert sum(line.stored for line in (await store.ledger(SITE)).values()) == 2


@pytest.mark.parametrize(
    "receipt", ["", "x", "1-0", "0-", "0-99", "0-1-2", "-5", "0-" + "9" * 5000]
)
async def test_what_is_no_receipt_is_refused(tmp_path: Path, receipt: str) -> None:
    async with projecting(tmp_path) as (journal, _store, projector):
        await journal.append([numbered_hit(1)])
        with pytest.raises(Malformed, match="wait"):
            await projector.visible(receipt)


async def test_nothing_is_stored_while_it_is_paused(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, store, projector):
        async with projector.paused():
            await journal.append([numbered_hit(1)])
            await asyncio.sleep(0.05)
            assert await store.ledger() == {}
        await projector.settle()
        assert len(await store.ledger()) == 1


async def test_changes_follow_the_store(tmp_path: Path) -> None:
    async with projecting(tmp_path) as (journal, _store, projector):
        changes = aiter(projector.changes())
        step = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await journal.append([Drop(site=SITE, received_at=1, reason=DropReason.NOT_OK)])
        async with asyncio.timeout(20):
            await step


async def test_it_stops_at_once_when_somebody_has_just_settled(tmp_path: Path) -> None:
    for _ in range(10):
        async with projecting(tmp_path) as (journal, _store, projector):
            await journal.append([numbered_hit(1)])
            await projector.settle()
            async with asyncio.timeout(20):
                await projector.__aexit__(None, None, None)


class Refusing(DuckDBStore):
    """A store that takes no rows, as on a full disk."""

    async def write(self, batch: WriteBatch) -> None:
        raise StoreUnavailable("no room")


async def test_a_stop_does_not_wait_for_a_store_that_is_not_there(tmp_path: Path) -> None:
    async with asyncio.timeout(30), projecting(tmp_path, Refusing) as (journal, _, projector):
        await journal.append([numbered_hit(1)])
        while projector.fault is None:
            await asyncio.sleep(0.01)
    async with projecting(tmp_path) as (_, store, projector):
        await projector.settle()
        assert sum((await store.recount()).values()) == 1


class Bursting(DuckDBStore):
    """A store whose first writes meet an error that nobody expected, in the midst of a step."""

    faults = 2

    async def write(self, batch: WriteBatch) -> None:
        if self.faults:
            self.faults -= 1
            raise OverflowError("date value out of range")
        await super().write(batch)


async def test_after_an_unexpected_error_it_begins_again_where_the_store_stopped(
    tmp_path: Path,
) -> None:
    """What the step that failed had folded already is forgotten, else it would count as known."""
    async with projecting(tmp_path, Bursting) as (journal, store, projector):
        await journal.append([numbered_hit(1), numbered_hit(2), numbered_hit(2), numbered_hit(3)])
        async with asyncio.timeout(20):
            while projector.next_offset < 4:
                await asyncio.sleep(0.01)
        assert projector.fault is None
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (4, 3, 1)
        await journal.append([numbered_hit(3), numbered_hit(4)])
        await projector.settle()
        (line,) = (await store.ledger()).values()
        assert (line.received, line.stored, line.duplicate) == (6, 4, 2)


class CountingReaders(Journal):
    """A journal that knows how many read from it."""

    reading = 0

    async def read(self, start: Position, *, limit: int) -> AsyncGenerator[Batch, None]:
        self.reading += 1
        try:
            async with aclosing(super().read(start, limit=limit)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.reading -= 1


async def test_it_leaves_no_reader_of_the_log_open(tmp_path: Path) -> None:
    async with (
        Bursting(tmp_path / "store.duckdb") as store,
        CountingReaders(tmp_path / "journal", LIMITS) as journal,
    ):
        async with Projector(journal, store, clock=lambda: NOW, linger_s=60) as projector:
            await journal.append([numbered_hit(1)])
            async with asyncio.timeout(20):
                while projector.next_offset < 1:
                    await asyncio.sleep(0.01)
            assert store.faults == 0
            assert journal.reading == 1
        assert journal.reading == 0
