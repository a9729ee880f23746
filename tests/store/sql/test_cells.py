"""Cells give what rows give, to the last visitor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store import rows

from analytics import localtime
from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import Dimension, Metric, Period, Query
from analytics.store.connection import Connection
from analytics.store.duckdb import DuckDBStore, apply, cell_builder, executor, lookups, writing
from analytics.store.duckdb.engine import Engine
from analytics.store.sql import cells
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers

HOUR, DAY = 3_600_000, 86_400_000
ZONES = ("Europe/Berlin", "America/Santiago", "Asia/Tehran", "Etc/UTC")
# Both clock changes of Berlin and Santiago lie in one of the spans that begin here.
STARTS = (date(2026, 3, 27), date(2026, 9, 4), date(2026, 10, 23))
SOURCES = Sources()


class Site:
    """A site under a new name, with a projector's state of its own."""

    numbers = count()

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.name = f"s{next(self.numbers)}.example"
        self.hits: list[Hit] = []
        self.builder = cell_builder.CellBuilder(at_most_every_ms=0)
        self._connection = connection
        self._folder = folder
        self._file = writing.RowFile(connection, folder)
        self._state = PipelineState(SOURCES)

    def write(self, hits: Sequence[Hit]) -> None:
        start = len(self.hits)
        self.hits += hits
        records = list(enumerate(hits, start))
        absent = self._state.absent(records)
        self._state.load(lookups.visits(self._connection, absent, touched_since=0))
        outcome = fold(records, self._state, set())
        batch = WriteBatch(outcome.rows, outcome.ledger, (), 0, len(self.hits))
        self.builder.note(apply.write(self._connection, batch, self._file))

    def build(self, zone: str, now: int, meanwhile: Sequence[Hit] = ()) -> None:
        plan = self.builder.plan(self._connection, self.name, zone, now)
        if plan is None:
            self.write(meanwhile)
            return
        built = cell_builder.build(self._connection, plan, self._folder)
        self.write(meanwhile)
        self.builder.swap(self._connection, built)
        built.discard()

    def ask(self, query: Query) -> None:
        found = executor.answer(self._connection, query).rows
        assert found == answers.answer(self.hits, query)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def connection(folder: Path) -> Iterator[Connection]:
    engine = Engine(folder / "test.duckdb", "512MB", 2)
    yield engine.connect()
    engine.close()


@st.composite
def hits(draw: st.DrawFn, site: Site, start: int) -> list[Hit]:
    """A few events of the week that begins at *start*, some of them days late."""
    made = []
    for number in range(draw(st.integers(0, 8))):
        ts = start + draw(st.integers(0, 6 * 24 * 2)) * HOUR // 2
        name = draw(st.sampled_from([PAGEVIEW, PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"]))
        late = draw(st.sampled_from([0, 0, HOUR, 3 * DAY]))
        made.append(
            Hit(
                event_id=f"00000000-0000-0000-0000-{len(site.hits) + number:012x}",
                site=site.name,
                ts=ts,
                received_at=ts + late,
                visitor=draw(st.integers(1, 3)),
                name=name,
                hostname="x.example",
                path=draw(st.sampled_from(["/", "/a", ""])),
                referrer=draw(st.sampled_from(["", "google.com"])),
                country=draw(st.sampled_from(["", "DE"])),
                scroll_depth=draw(st.integers(0, 100)) if name == ENGAGEMENT else None,
                engaged_ms=draw(st.integers(0, 90_000)) if name == ENGAGEMENT else 0,
                bot=draw(st.sampled_from([None, None, None, "crawler"])),
            )
        )
    return made


@st.composite
def queries(draw: st.DrawFn, site: str, zone: str, first: int) -> Query:
    """A question of whole days, that cells can answer if they are true so far."""
    start = first + draw(st.integers(-1, 6))
    end = start + draw(st.integers(1, 8))
    dimension = draw(
        st.sampled_from([None, "event:page", "event:hostname", "visit:source", "visit:entry_page"])
    )
    bucket = draw(st.sampled_from([None, Dimension.DAY, Dimension.WEEK, Dimension.MONTH]))
    allowed = sorted(cells.metrics_of(dimension or cells.TOTAL))
    return Query(
        site=site,
        metrics=tuple(draw(st.lists(st.sampled_from(allowed), min_size=1, unique=True))),
        period=Period(localtime.day_start(zone, start), localtime.day_start(zone, end), zone),
        dimensions=tuple(d for d in (dimension, bucket) if d is not None),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cells_and_rows_together_give_the_oracles_figures(
    connection: Connection, folder: Path, data: st.DataObject
) -> None:
    site = Site(connection, folder)
    zone = data.draw(st.sampled_from(ZONES))
    day = data.draw(st.sampled_from(STARTS))
    start = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    first = localtime.day_number(day)
    for _ in range(data.draw(st.integers(1, 3))):
        site.write(data.draw(hits(site, start)))
        now = start + data.draw(st.integers(0, 8 * 24)) * HOUR
        site.build(zone, now, meanwhile=data.draw(hits(site, start)))
        for _ in range(3):
            site.ask(data.draw(queries(site.name, zone, first)))


@pytest.mark.parametrize(
    ("minutes", "engaged_ms"), [(45, 2_700_000), (45, 10_000), (45, 0), (3 * 24 * 60, 1)]
)
def test_a_reading_belongs_to_the_view_that_it_measures_however_late_it_comes(
    connection: Connection, folder: Path, minutes: int, engaged_ms: int
) -> None:
    site, start = Site(connection, folder), 1_795_720_000_000
    view = Hit(
        event_id="00000000-0000-0000-0000-000000000001",
        site=site.name,
        ts=start,
        received_at=start,
        visitor=1,
        hostname="x.example",
        path="/long",
    )
    site.write([view])
    reading = msgspec.structs.replace(
        view,
        event_id="00000000-0000-0000-0000-000000000002",
        name=ENGAGEMENT,
        ts=start + minutes * 60_000,
        received_at=start + minutes * 60_000,
        scroll_depth=100,
        engaged_ms=engaged_ms,
    )
    site.write([reading])
    query = Query(
        site=site.name,
        metrics=(Metric.VISITS, Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH),
        period=Period(start - 10 * DAY, start + 10 * DAY, "Etc/UTC"),
        dimensions=(Dimension.PAGE,),
    )
    (row,) = executor.answer(connection, query).rows
    seconds = (engaged_ms + 500) // 1000 if engaged_ms else None
    assert (row.dimensions, row.metrics) == (("/long",), (1, seconds, 100))
    assert answers.answer(site.hits, query) == (row,)


def test_cells_made_by_other_rules_of_the_zone_are_made_anew(
    connection: Connection, folder: Path
) -> None:
    site, zone, noon = Site(connection, folder), "America/Vancouver", 1_795_720_000_000
    view = Hit(
        event_id="00000000-0000-0000-0000-000000000001",
        site=site.name,
        ts=noon,
        received_at=noon,
        visitor=1,
        hostname="x.example",
        path="/",
    )
    site.write([view])
    site.build(zone, noon + 3 * DAY)
    assert site.builder.plan(connection, site.name, zone, noon + 3 * DAY) is None
    # What an older table of zones leaves behind.
    connection.run(
        "UPDATE cell_state SET timezone = ? WHERE site = ?", [f"{zone} 0123456789ab", site.name]
    )
    plan = site.builder.plan(connection, site.name, zone, noon + 3 * DAY)
    assert plan is not None
    assert plan.first == localtime.day_of(zone, noon)


def test_a_site_is_not_built_all_the_time(connection: Connection, folder: Path) -> None:
    site = Site(connection, folder)
    builder = cell_builder.CellBuilder(at_most_every_ms=1000)
    noon = 1_795_521_600_000

    def planned(now: int) -> bool:
        plan = builder.plan(connection, site.name, "Etc/UTC", now)
        if plan is not None:
            builder.finish(site.name, now, took_ms=100)
        return plan is not None

    site.write([hit(noon, site=site.name)])
    assert not planned(noon)
    assert not planned(noon + 12 * HOUR + cell_builder.SETTLES_AFTER_MS - 1)
    assert planned(noon + 12 * HOUR + cell_builder.SETTLES_AFTER_MS)
    assert not planned(noon + 12 * HOUR + cell_builder.SETTLES_AFTER_MS + 1999)
    assert planned(noon + 12 * HOUR + cell_builder.SETTLES_AFTER_MS + 2000)


async def test_a_store_builds_cells_and_asks_them(store: DuckDBStore) -> None:
    log, noon = rows.Log(), NOON
    await store.write(log.batch([hit(noon - day * DAY, visitor=day % 2) for day in range(9)]))
    period = Period(
        localtime.day_start("Europe/Berlin", localtime.day_of("Europe/Berlin", noon - 5 * DAY)),
        noon + DAY,
        "Europe/Berlin",
    )
    query = Query(site=SITE, metrics=(Metric.VISITORS, Metric.VISITS), period=period)
    before = await store.query(query)
    assert before.rows[0].metrics == (2, 6)
    assert await store.build_cells(noon) == 1
    assert await store.build_cells(noon) == 0
    assert await store.query(query) == before
    # What cells say is what is answered: the days that they hold are not read again.
    await store._threads.write(lambda c: c.run("UPDATE cell_sums SET begun = begun + 100"))
    query = msgspec.structs.replace(
        query, metrics=(Metric.VISITS,)
    )  # a question whose answer nobody remembers
    assert (await store.query(query)).rows[0].metrics == (506,)
