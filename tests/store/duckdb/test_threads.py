"""The store's threads stop when they are told to, and open a broken engine anew."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from analytics import caller
from analytics.caller import Caller, Party
from analytics.errors import QueryTooLong, ReaderLeft, StoreUnavailable
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb.engine import Engine
from analytics.store.duckdb.threads import StoreThreads


@pytest.fixture
async def threads(tmp_path: Path) -> AsyncIterator[StoreThreads]:
    engine = partial(Engine, tmp_path / "store.duckdb", "256MB", 2)
    threads = StoreThreads(engine, readers=2, queue_timeout_s=60)
    await threads.open()
    yield threads
    await threads.close()


def endless(connection: Connection) -> None:
    connection.rows("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")


async def test_long_work_that_is_cancelled_stops(threads: StoreThreads) -> None:
    told = asyncio.Event()
    work = asyncio.create_task(threads.watch(endless, lambda _: told.set()))
    await told.wait()
    work.cancel()
    with pytest.raises((asyncio.CancelledError, StoreUnavailable)):
        await work


async def test_a_question_that_takes_too_long_is_given_up_and_the_next_is_answered(
    threads: StoreThreads,
) -> None:
    def asked(connection: Connection) -> None:
        with transaction(connection):
            endless(connection)

    for _ in range(2):  # on the same connections, which are outside any transaction again
        asking = [threads.read(asked, at_most_s=0.01) for _ in range(2)]
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(outcome, QueryTooLong)
            assert "shorter period" in str(outcome)
            assert "store.query_timeout_s" in str(outcome)
    assert await threads.read(lambda c: c.rows("SELECT 1"), at_most_s=600) == [(1,)]


@pytest.mark.parametrize("at_most_s", [None, 600])
async def test_a_question_ends_with_its_reader(
    threads: StoreThreads, at_most_s: float | None
) -> None:
    began, gone = threading.Event(), asyncio.Event()

    def asked(connection: Connection) -> None:
        began.set()
        with transaction(connection):
            endless(connection)

    async def left() -> None:
        await gone.wait()

    async def ask() -> None:
        with caller.on_behalf_of(Caller(Party("reader"), left)):
            await threads.read(asked, at_most_s=at_most_s)

    readers = [asyncio.create_task(ask()) for _ in range(2)]  # as many as there are threads
    await asyncio.to_thread(began.wait)
    gone.set()
    for outcome in await asyncio.gather(*readers, return_exceptions=True):
        assert isinstance(outcome, ReaderLeft)
    with caller.on_behalf_of(Caller(Party("another"))):
        assert await threads.read(lambda c: c.rows("SELECT 1"), at_most_s=600) == [(1,)]


async def test_a_question_whose_request_is_cancelled_ends(threads: StoreThreads) -> None:
    began = threading.Event()

    def asked(connection: Connection) -> None:
        began.set()
        endless(connection)

    async def ask() -> None:
        with caller.on_behalf_of(Caller(Party("reader"))):
            await threads.read(asked)

    readers = [asyncio.create_task(ask()) for _ in range(2)]
    await asyncio.to_thread(began.wait)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    with caller.on_behalf_of(Caller(Party("another"))):
        assert await threads.read(lambda c: c.rows("SELECT 1")) == [(1,)]


async def test_time_that_is_up_between_two_statements_ends_the_next_one(
    threads: StoreThreads,
) -> None:
    def asked(connection: Connection) -> None:
        expired = threading.Event()
        original = connection.interrupt
        connection.interrupt = lambda: (original(), expired.set())[0]  # type: ignore[method-assign]
        expired.wait()  # nothing runs on the connection when it is interrupted first
        endless(connection)

    with pytest.raises(QueryTooLong):
        await threads.read(asked, at_most_s=0.01)


async def test_what_fails_in_time_says_why(threads: StoreThreads) -> None:
    with pytest.raises(StoreUnavailable, match="refused") as failed:
        await threads.read(lambda c: c.rows("SELECT nonsense"), at_most_s=600)
    assert not isinstance(failed.value, QueryTooLong)


async def test_a_stream_that_is_left_early_gives_its_connection_back(threads: StoreThreads) -> None:
    def numbers(connection: Connection):  # type: ignore[no-untyped-def]
        yield from connection.chunks("SELECT * FROM range(100000)", size=10)

    stream = threads.stream(numbers)
    async for chunk in stream:
        assert len(chunk) == 10
        break
    await stream.aclose()  # type: ignore[attr-defined]
    assert threads._engine is not None
    assert len(threads._engine._sessions) == 1  # type: ignore[attr-defined]  # the writer's


async def test_a_broken_engine_is_opened_anew_with_what_was_written(threads: StoreThreads) -> None:
    def write(connection: Connection) -> None:
        connection.run("INSERT INTO offsets VALUES (7, 7)")

    def count(connection: Connection) -> int:
        return int(connection.rows("SELECT count(*) FROM offsets")[0][0])

    await threads.write(write)
    assert await threads.read(count) == 1
    broken = threads._engine
    assert broken is not None
    begun = threading.Event()

    def read(connection: Connection) -> None:
        begun.set()
        endless(connection)

    reading = asyncio.create_task(threads.read(read))
    await asyncio.to_thread(begun.wait)
    broken.broken = True
    assert await threads.write(count) == 1
    assert threads._engine is not broken
    with pytest.raises(StoreUnavailable):
        await reading
    assert await threads.read(count) == 1


async def test_what_the_server_asks_for_itself_waits_for_no_reader(threads: StoreThreads) -> None:
    crowd = threading.Event()
    with caller.on_behalf_of(Caller(Party("a reader"))):
        readers = [asyncio.create_task(threads.read(lambda _: crowd.wait())) for _ in range(50)]
        await asyncio.sleep(0)
    assert await threads.read(lambda c: c.rows("SELECT 1")) == [(1,)]
    crowd.set()
    assert await asyncio.gather(*readers) == [True] * 50


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own there")
async def test_threads_of_the_engine_itself_give_way_to_the_event_loop(tmp_path: Path) -> None:
    def of_the_process() -> set[int]:
        return {int(task.name) for task in Path("/proc/self/task").iterdir()}

    def priority(task: int) -> int | None:
        # A thread of an earlier test may end while this one looks.
        try:
            return os.getpriority(os.PRIO_PROCESS, task)
        except ProcessLookupError:
            return None

    before = of_the_process()
    threads = StoreThreads(
        partial(Engine, tmp_path / "2", "256MB", 3), readers=2, queue_timeout_s=60
    )
    await threads.open()
    try:
        ours = {thread.native_id for thread in threading.enumerate()}
        of_the_engine = of_the_process() - before - ours
        assert of_the_engine
        mine = os.getpriority(os.PRIO_PROCESS, os.getpid())
        priorities = [each for each in map(priority, of_the_engine) if each is not None]
        assert priorities
        assert min(priorities) > mine
    finally:
        await threads.close()
