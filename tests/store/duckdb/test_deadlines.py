"""One thread ends the work of many connections, each at its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from analytics.errors import QueryTooLong, StoreUnavailable
from analytics.store.duckdb.deadlines import Deadlines


class Work:
    """Runs until it is interrupted."""

    def __init__(self) -> None:
        self.interrupts = 0
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        self.interrupts += 1
        self._interrupted.set()

    def run(self) -> None:
        """Raise what an interrupted statement raises."""
        self._interrupted.wait()
        raise StoreUnavailable("interrupted")


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    deadlines = Deadlines()
    yield deadlines
    deadlines.close()


def watching() -> int:
    return sum(thread.name == "store-deadlines" for thread in threading.enumerate())


def test_one_thread_watches_over_all_work_and_ends_with_it(deadlines: Deadlines) -> None:
    before = watching()
    works = [Work() for _ in range(8)]
    outcomes: list[str] = []

    def run(work: Work) -> None:
        try:
            with deadlines.interrupting(work, 0.05):
                work.run()
        except QueryTooLong as exc:
            outcomes.append(str(exc))

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    assert watching() == before + 1
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(works)
    assert all("store.query_timeout_s" in text for text in outcomes)
    deadlines.close()
    assert watching() == before


def test_a_short_deadline_is_kept_while_a_long_one_runs(deadlines: Deadlines) -> None:
    long, short = Work(), Work()
    with deadlines.interrupting(long, 600):
        with pytest.raises(QueryTooLong), deadlines.interrupting(short, 0.01):
            short.run()
        assert long.interrupts == 0


def test_what_was_interrupted_between_two_statements_is_interrupted_again(
    deadlines: Deadlines,
) -> None:
    work = Work()
    with deadlines.interrupting(work, 0.01):
        while work.interrupts < 3:
            time.sleep(0.01)


def test_nothing_is_interrupted_after_its_block(deadlines: Deadlines) -> None:
    early, late = Work(), Work()
    with deadlines.interrupting(early, 0.01):
        pass
    with pytest.raises(QueryTooLong), deadlines.interrupting(late, 0.05):
        late.run()
    assert early.interrupts == 0


def test_an_error_in_time_stays_what_it_is(deadlines: Deadlines) -> None:
    with (
        pytest.raises(StoreUnavailable, match="refused") as failed,
        deadlines.interrupting(Work(), 600),
    ):
        raise StoreUnavailable("refused")
    assert not isinstance(failed.value, QueryTooLong)


def test_a_connection_that_cannot_be_interrupted_takes_the_watch_over_no_other_away(
    deadlines: Deadlines, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(Work):
        def interrupt(self) -> None:
            super().interrupt()
            raise OSError("it is gone")

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(QueryTooLong), deadlines.interrupting(stubborn := Stubborn(), 0.01):
        stubborn.run()
    while watching():
        time.sleep(0.01)
    work = Work()
    with pytest.raises(QueryTooLong), deadlines.interrupting(work, 0.01):
        work.run()
