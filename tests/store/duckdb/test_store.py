"""The embedded store: what is written is durable, whole or not at all, and can be copied."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs
from tests.store.rows import DAY, HOUR, Log

from analytics import caller
from analytics.caller import Caller, Party
from analytics.errors import Conflict, Corrupt, Malformed, Misconfigured, StoreUnavailable
from analytics.event import LogRecord, Row
from analytics.exploration import FunnelQuery, FunnelResult
from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Compare, Dimension, Metric, Op, Period, Query
from analytics.store.duckdb import DuckDBStore
from analytics.store.duckdb.engine import Engine
from analytics.testing import sample
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.contracts import series_store as suite

ROOT = Path(__file__).parents[3]
HOUR_OF_NOON = NOON // HOUR * HOUR


class Taking:
    """A store, and a projector's memory before it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = PipelineState(Sources(), keep_ms=1 << 50)
        self._offset = 0
        self.store = self._new()

    def _new(self) -> DuckDBStore:
        return DuckDBStore(
            self._path,
            timezones=lambda: {suite.SITE: suite.ZONE, suite.OTHER: suite.ZONE},
            goals=lambda: {suite.SITE: suite.GOALS},
            rebuild_at_most_every_ms=0,
        )

    async def take(self, records: Sequence[LogRecord]) -> None:
        await self.store.write(sample.batch(records, start=self._offset, state=self._state))
        self._offset += len(records)

    async def reopen(self) -> None:
        await self.store.__aexit__(None, None, None)
        self.store = self._new()
        await self.store.__aenter__()


class TestDuckDBStore(
    suite.SeriesStoreContract,
    suite.BuildsContract,
    suite.AuditsContract,
    suite.ExportsContract,
    suite.ErasesContract,
    suite.LookupsContract,
    suite.OverviewsContract,
    suite.SnapshotsContract,
):
    @pytest.fixture
    async def taking(self, tmp_path: Path) -> AsyncIterator[Taking]:
        taking = Taking(tmp_path / "suite" / "store.duckdb")
        (tmp_path / "suite").mkdir()
        await taking.store.__aenter__()
        yield taking
        await taking.store.__aexit__(None, None, None)


def visitors(start: int = NOON - DAY, end: int = NOON + DAY, *dimensions: str) -> Query:
    period = Period(start, end, "Europe/Berlin")
    return Query(site=SITE, metrics=(Metric.VISITORS,), period=period, dimensions=dimensions)


def test_the_columns_are_the_fields_of_a_row(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "store.duckdb", "128MB", 1)
    described = engine.connect().rows("SELECT column_name FROM (DESCRIBE rows)")
    engine.close()
    assert [name for (name,) in described] == list(Row.__struct_fields__)


async def test_a_batch_is_there_with_its_ledger_and_offset(store: DuckDBStore) -> None:
    log = Log()
    batch = log.batch([hit(NOON), hit(NOON + 1, visitor=2), hit(NOON + 2, site="b.example")])
    await store.write(batch)
    assert await store.offsets() == {0: 3}
    assert await store.ledger() == batch.ledger
    assert await store.recount() == {key: line.stored for key, line in batch.ledger.items()}
    assert (await store.query(visitors())).rows[0].metrics == (2,)
    assert await store.newest() == NOON + 2
    assert await store.first_event(SITE) == NOON
    assert await store.first_event("none.example") is None


async def test_the_ledger_adds_up_over_batches(store: DuckDBStore) -> None:
    key = LedgerKey(SITE, HOUR_OF_NOON)
    first = {key: LedgerLine(5, 2, 1, {"shield-ip": 1}, 1)}
    second = {key: LedgerLine(3, 0, 1, {"shield-ip": 1, "not-ok": 1}, 0)}
    dead = [DeadLetter(4, NOON, "no JSON", b"\x00\xff")]
    await store.write(WriteBatch((), first, dead, 0, 5))
    await store.write(WriteBatch((), second, (), 0, 8))
    assert await store.ledger(SITE) == {key: LedgerLine(8, 2, 2, {"shield-ip": 2, "not-ok": 1}, 1)}
    assert await store.ledger("none.example") == {}


async def test_a_batch_that_fails_leaves_nothing(store: DuckDBStore) -> None:
    batch = Log().batch([hit(NOON), hit(NOON + 1)])
    spoilt = structs.replace(batch.rows[1], revenue="a lot")
    with pytest.raises(StoreUnavailable):
        await store.write(batch._replace(rows=[batch.rows[0], spoilt]))
    assert await store.offsets() == {}
    assert await store.ledger() == {}
    await store.write(batch)
    assert await store.offsets() == {0: 2}


@pytest.mark.parametrize("text", ["'; DROP TABLE rows; --", '"\\', "\x00", "\u2028🜨", "a\r\nb,c"])
async def test_any_text_is_stored_and_found_as_it_is(store: DuckDBStore, text: str) -> None:
    await store.write(Log().batch([hit(NOON, path=text, title=text, props={text: text})]))
    asked = structs.replace(
        visitors(NOON - DAY, NOON + DAY, "event:page", f"event:props:{text}"),
        filters=(Compare(Op.IS, Dimension.TITLE, (text,)),),
    )
    assert [row.dimensions for row in (await store.query(asked)).rows] == [(text, text)]


async def test_a_pattern_that_is_none_is_the_callers_fault(store: DuckDBStore) -> None:
    asked = structs.replace(visitors(), filters=(Compare(Op.MATCHES, Dimension.PAGE, ("(",)),))
    await store.write(Log().batch([hit(NOON)]))
    with pytest.raises(Malformed) as refused:
        await store.query(asked)
    assert refused.value.field == "filters"


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    async with DuckDBStore(path) as store:
        await store.write(Log().batch([hit(NOON)]))
    (tmp_path / "scratch" / "left-over.ndjson").write_text("{}")
    async with DuckDBStore(path) as store:
        assert (await store.query(visitors())).rows[0].metrics == (1,)
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    engine = Engine(path, "128MB", 1)
    engine.connect().run("UPDATE schema_version SET version = 99")
    engine.close()
    with pytest.raises(Misconfigured, match="newer version"):
        async with DuckDBStore(path):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(Corrupt, match=r"store\.duckdb"):
        async with DuckDBStore(path):
            pass


async def test_a_file_open_in_another_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    program = (
        f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Misconfigured, match="another process"):
            async with DuckDBStore(path):
                pass
    finally:
        other.communicate(b"\n")


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "store.duckdb")
    async with store:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.query(visitors())


async def test_a_snapshot_is_a_store_of_its_own(store: DuckDBStore, tmp_path: Path) -> None:
    log = Log()
    await store.write(log.batch([hit(NOON - 3 * DAY), hit(NOON, visitor=2)]))
    await store.build_cells(NOON)
    copy = tmp_path / "it's a copy.duckdb"
    await store.snapshot(copy)
    await store.write(log.batch([hit(NOON, visitor=3)]))
    with pytest.raises(Conflict):
        await store.snapshot(copy)
    async with DuckDBStore(copy) as copied:
        assert await copied.offsets() == {0: 2}
        asked = visitors(NOON - 4 * DAY, NOON + DAY)
        assert (await copied.query(asked)).rows[0].metrics == (2,)
        # It takes rows where the original left off, keys and all.
        await copied.write(Log().batch([hit(NOON, visitor=4)]))
    await store.snapshot(tmp_path / "second.duckdb")


def test_a_full_disk_refuses_and_then_takes_again(tmp_path: Path) -> None:
    """Run beside us, since what stands for a full disk here binds a whole process."""
    script = Path(__file__).with_name("full_disk.py")
    ran = subprocess.run(
        [sys.executable, script, tmp_path],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["refused", "again", "whole"]


async def test_a_question_asked_again_waits_for_no_reader(tmp_path: Path) -> None:
    asked = Query(site=SITE, metrics=(Metric.VISITORS,), period=Period(NOON, NOON + DAY, "UTC"))
    crowd = threading.Event()
    async with DuckDBStore(tmp_path / "store.duckdb", readers=2) as store:
        await store.write(sample.batch([hit(NOON)]))
        answered = await store.query(asked)
        with caller.on_behalf_of(Caller(Party("a reader"))):
            readers = [
                asyncio.create_task(store._threads.read(lambda _: crowd.wait())) for _ in range(2)
            ]
            try:
                async with asyncio.timeout(60):
                    while len(store._threads._reading._pool._threads) < 2:
                        await asyncio.sleep(0.01)
                    assert await store.query(asked) == answered
            finally:
                crowd.set()
        await asyncio.gather(*readers)


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "a{2,1}", "(?<name>"])
async def test_a_bad_pattern_is_named_in_our_own_words(tmp_path: Path, pattern: str) -> None:
    asked = Query(
        site=SITE,
        metrics=(Metric.VISITORS,),
        period=Period(NOON, NOON + DAY, "UTC"),
        filters=(Compare(Op.MATCHES, Dimension.PAGE, (pattern,)),),
    )
    async with DuckDBStore(tmp_path / "store.duckdb") as store:
        with pytest.raises(Malformed) as refused:
            await store.query(asked)
    assert refused.value.reason == f"{pattern!r} is not a regular expression that RE2 can read"


async def test_a_funnel_is_remembered_until_something_is_written_of_its_site(
    store: DuckDBStore,
) -> None:
    funnel = FunnelQuery(
        site=SITE,
        period=Period(NOON - DAY, NOON + DAY, "Europe/Berlin"),
        steps=(Compare(Op.IS, Dimension.PAGE, ("/",)), Compare(Op.IS, Dimension.PAGE, ("/a",))),
    )

    async def reached() -> list[int]:
        result = await store.explore(funnel)
        assert isinstance(result, FunnelResult)
        return [step.reached for step in result.steps]

    log = Log()
    await store.write(log.batch([hit(NOON), hit(NOON + 1, path="/a"), hit(NOON, visitor=2)]))
    assert await reached() == [2, 1]
    # Behind its back: only what is remembered can still tell.
    await store._threads.write(lambda c: c.run("DELETE FROM rows WHERE visitor = 2"))
    assert await reached() == [2, 1]
    await store.write(log.batch([hit(NOON, visitor=3)]))
    assert await reached() == [2, 1]
    await store.erase_visitor(SITE, 3)
    assert await reached() == [1, 1]


async def test_visits_that_are_erased_are_not_remembered(store: DuckDBStore) -> None:
    await store.write(Log().batch([hit(NOON), hit(NOON, visitor=2, path="/a")]))
    assert (await store.query(visitors())).rows[0].metrics == (2,)
    of_page = structs.replace(visitors(), filters=(Compare(Op.IS, Dimension.PAGE, ("/a",)),))
    await store.erase_visits(of_page)
    assert (await store.query(visitors())).rows[0].metrics == (1,)
