"""What the projector finds again: ids, and visits just as its memory had them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.rows import DAY, HOUR, MINUTE, Log

from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.sessions import Sessions
from analytics.store.connection import Connection
from analytics.store.duckdb import DuckDBStore, apply, lookups, writing
from analytics.store.duckdb.engine import Engine
from analytics.testing.builders import NOON, SITE, hit

numbers = count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def connection(folder: Path) -> Iterator[Connection]:
    engine = Engine(folder / "store.duckdb", "256MB", 2)
    yield engine.connect()
    engine.close()


@st.composite
def logs(draw: st.DrawFn, site: str) -> list[Hit]:
    """Events of a few visitors, some late, in log order."""
    now, made = NOON, []
    for _ in range(draw(st.integers(1, 15))):
        now += draw(st.sampled_from([0, MINUTE, 20 * MINUTE, 31 * MINUTE]))
        late = draw(st.sampled_from([0, 0, 5 * MINUTE, 40 * MINUTE]))
        made.append(
            hit(
                now - late,
                site=site,
                received_at=now,
                visitor=draw(st.sampled_from([1, 2**64 - 1])),
                name=draw(st.sampled_from([PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"])),
                path=draw(st.sampled_from(["/a", "/b"])),
                hostname=draw(st.sampled_from(["x.example", ""])),
                referrer=draw(st.sampled_from(["", "google.com"])),
                interactive=draw(st.booleans()),
                bot=draw(st.sampled_from([None, None, "crawler"])),
            )
        )
    return made


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_visits_are_found_as_they_were_remembered(
    connection: Connection, folder: Path, data: st.DataObject
) -> None:
    site = f"s{next(numbers)}.example"
    log = Log()
    log.state.sessions = Sessions(keep_ms=10 * DAY)  # forgets nothing here
    batch = log.batch(data.draw(logs(site)))
    apply.write(connection, batch, writing.RowFile(connection, folder))
    remembered = sorted(
        chain.from_iterable(log.state.sessions._young.values()), key=lambda visit: visit.offset
    )
    pairs = [(site, 1), (site, 2**64 - 1), (site, 3)]
    assert lookups.visits(connection, pairs, 0) == remembered
    since = data.draw(st.sampled_from([row.received_at for row in batch.rows]))
    assert [v for v in lookups.recent_visits(connection, since) if v.site == site] == [
        visit for visit in remembered if visit.touched >= since
    ]


async def test_stored_ids_are_known_and_others_are_not(store: DuckDBStore) -> None:
    old, new = hit(NOON - 900 * DAY), hit(NOON)
    await store.write(Log().batch([old, new]))
    asked = [
        Unsure(SITE, old.event_id, old.ts, old.received_at + 9 * DAY),
        Unsure(SITE, new.event_id, new.ts + DAY, new.received_at + 9 * DAY),
        Unsure("other.example", new.event_id, new.ts, new.received_at),
        Unsure(SITE, hit(NOON).event_id, NOON, NOON),
    ]
    assert await store.seen(asked) == {(SITE, old.event_id), (SITE, new.event_id)}
    assert await store.seen([]) == set()


async def test_a_copy_that_is_dated_otherwise_is_known_for_a_day(store: DuckDBStore) -> None:
    """A browser may send an event first without its time, then with that of a wrong clock."""
    first = hit(NOON)
    await store.write(Log().batch([first]))
    for ts in (NOON - 50 * HOUR, NOON + HOUR):
        again = Unsure(SITE, first.event_id, ts, first.received_at + DAY - 1)
        assert await store.seen([again]) == {(SITE, first.event_id)}
    late = Unsure(SITE, first.event_id, NOON - 50 * HOUR, first.received_at + DAY + 1)
    assert await store.seen([late]) == set()


async def test_many_times_far_apart_are_all_looked_at(store: DuckDBStore) -> None:
    hits = [hit(NOON - year * 365 * DAY) for year in range(40)]
    await store.write(Log().batch(hits))
    found = await store.seen(
        [Unsure(h.site, h.event_id, h.ts, h.received_at + 9 * DAY) for h in reversed(hits)]
    )
    assert found == {(h.site, h.event_id) for h in hits}


async def test_recent_ids_come_in_chunks(store: DuckDBStore) -> None:
    hits = [hit(NOON + i) for i in range(50)]
    await store.write(Log().batch([hit(NOON - HOUR), *hits]))
    chunks = [chunk async for chunk in store.recent_ids(NOON)]
    assert sorted(chain.from_iterable(chunks)) == sorted((SITE, h.event_id) for h in hits)
