"""Cells give what rows give, to the last visitor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
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
from analytics.query import (
    All,
    Compare,
    Dimension,
    Filter,
    Metric,
    NamedFilter,
    Op,
    Period,
    Query,
    ScrolledTo,
)
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
VIEWED = Compare(Op.IS, Dimension.NAME, (PAGEVIEW,))
GOALS: dict[str, Filter] = {
    "Read it": All((VIEWED, Compare(Op.MATCHES, Dimension.PAGE, ("^/a.*$",)))),
    "Signup": All((Compare(Op.IS, Dimension.NAME, ("signup",)),)),
    "Pro": All(
        (
            Compare(Op.IS, Dimension.NAME, ("signup",)),
            Compare(Op.IS, "event:props:plan", ("pro",)),
        )
    ),
    "Scrolled": All((VIEWED, Compare(Op.IS, Dimension.PAGE, ("/",)), ScrolledTo(50))),
    "Signup, again": All((Compare(Op.IS, Dimension.NAME, ("signup",)),)),
}


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

    def build(
        self,
        zone: str,
        now: int,
        meanwhile: Sequence[Hit] = (),
        goals: Sequence[str] = tuple(GOALS),
    ) -> None:
        filters = [GOALS[name] for name in goals]
        plan = self.builder.plan(self._connection, self.name, zone, now, filters)
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
                props=draw(st.sampled_from([{}, {"plan": "pro"}, {"plan": "free"}])),
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


@st.composite
def goal_queries(draw: st.DrawFn, site: str, zone: str, first: int) -> Query:
    """A question by goal of whole days, that cells can answer if they are true so far."""
    start = first + draw(st.integers(-1, 6))
    end = start + draw(st.integers(1, 8))
    allowed = sorted(cells.metrics_of(Dimension.GOAL))
    names = draw(st.lists(st.sampled_from(sorted(GOALS)), min_size=1, unique=True))
    return Query(
        site=site,
        metrics=tuple(draw(st.lists(st.sampled_from(allowed), min_size=1, unique=True))),
        period=Period(localtime.day_start(zone, start), localtime.day_start(zone, end), zone),
        dimensions=(Dimension.GOAL,),
        goals=tuple(NamedFilter(name, GOALS[name]) for name in names),
        base_filters=(),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_goals_from_cells_and_rows_together_have_the_oracles_figures(
    connection: Connection, folder: Path, data: st.DataObject
) -> None:
    site = Site(connection, folder)
    zone = data.draw(st.sampled_from(ZONES))
    day = data.draw(st.sampled_from(STARTS))
    start = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    first = localtime.day_number(day)
    for _ in range(data.draw(st.integers(1, 4))):
        site.write(data.draw(hits(site, start)))
        now = start + data.draw(st.integers(0, 8 * 24)) * HOUR
        goals = data.draw(st.sets(st.sampled_from(sorted(GOALS))).map(sorted))
        site.build(zone, now, meanwhile=data.draw(hits(site, start)), goals=goals)
        for _ in range(3):
            site.ask(data.draw(goal_queries(site.name, zone, first)))


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


def goals_of(site: str, *names: str, days: int = 9) -> Query:
    """Return the question for the figures of goals in the days up to and with that of `NOON`."""
    zone = "Europe/Berlin"
    end = localtime.day_of(zone, NOON) + 1
    return Query(
        site=site,
        metrics=(Metric.VISITORS, Metric.CONVERSIONS, Metric.CONVERSION_RATE),
        period=Period(localtime.day_start(zone, end - days), localtime.day_start(zone, end), zone),
        dimensions=(Dimension.GOAL,),
        goals=tuple(NamedFilter(name, GOALS[name]) for name in names),
        base_filters=(),
    )


class TestGoals:
    """A store that is told of goals, as a server's is."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[DuckDBStore]:
        self.names: list[str] = []
        async with DuckDBStore(
            tmp_path / "store.duckdb",
            timezones=lambda: {SITE: "Europe/Berlin"},
            goals=lambda: {SITE: [GOALS[name] for name in self.names]},
            rebuild_at_most_every_ms=0,
        ) as store:
            yield store

    async def figures(self, store: DuckDBStore, *names: str) -> dict[str, tuple[object, ...]]:
        rows = (await store.query(goals_of(SITE, *names))).rows
        return {row.dimensions[0]: row.metrics for row in rows}

    async def spoil(self, store: DuckDBStore) -> None:
        """Change what the cells of goals say, so that it can be seen who asks them."""
        await store._threads.write(
            lambda c: c.run(
                "UPDATE cell_sums SET events = events + 100 WHERE dimension = 'event:goal'"
            )
        )
        store._remembered.all_changed()

    async def test_a_goals_closed_days_are_asked_of_its_cells(self, store: DuckDBStore) -> None:
        self.names = ["Signup", "Read it"]
        views = [hit(NOON - day * DAY, visitor=day % 2) for day in range(5)]
        signups = [hit(NOON - day * DAY + 1, visitor=1, name="signup") for day in (0, 1, 3)]
        await store.write(rows.Log().batch([*views, *signups]))
        before = await self.figures(store, "Signup")
        assert before == {"Signup": (1, 3, 50.0)}
        assert await store.build_cells(NOON) == 1
        assert await store.build_cells(NOON) == 0
        await self.spoil(store)
        # Days 1 and 3 are two cells; the day that is open is asked of its rows.
        assert await self.figures(store, "Signup") == {"Signup": (1, 203, 50.0)}
        # Under two names it is the same goal.
        assert await self.figures(store, "Signup, again") == {"Signup, again": (1, 203, 50.0)}

    async def test_a_new_goal_gets_cells_of_past_days_and_until_then_rows_answer(
        self, store: DuckDBStore
    ) -> None:
        log = rows.Log()
        await store.write(
            log.batch([hit(NOON - day * DAY, visitor=day, name="signup") for day in (1, 2, 3)])
        )
        assert await store.build_cells(NOON) == 1
        await self.spoil(store)
        assert await self.figures(store, "Signup") == {"Signup": (3, 3, 100.0)}
        self.names = ["Signup"]
        assert await store.build_cells(NOON) == 1
        await self.spoil(store)
        assert await self.figures(store, "Signup") == {"Signup": (3, 303, 100.0)}
        # A goal without cells beside it: rows answer for both.
        assert await self.figures(store, "Signup", "Pro") == {"Signup": (3, 3, 100.0)}

    async def test_what_comes_late_or_is_erased_counts_in_days_that_were_built(
        self, store: DuckDBStore
    ) -> None:
        self.names = ["Signup", "Scrolled"]
        log = rows.Log()
        await store.write(
            log.batch(
                [
                    *(hit(NOON - day * DAY, visitor=day, name="signup") for day in (1, 2, 3)),
                    hit(NOON - 2 * DAY, visitor=7),
                ]
            )
        )
        await store.build_cells(NOON)
        assert await self.figures(store, *self.names) == {"Signup": (3, 3, 75.0)}
        # One measurement, of a day that was built, makes a goal of the view before it.
        await store.write(
            log.batch([hit(NOON - 2 * DAY + 1, visitor=7, name=ENGAGEMENT, scroll_depth=60)])
        )
        late = {"Signup": (3, 3, 75.0), "Scrolled": (1, 1, 25.0)}
        assert await self.figures(store, *self.names) == late
        await store.build_cells(NOON)
        store._remembered.all_changed()
        assert await self.figures(store, *self.names) == late
        await store.erase_visitor(SITE, 2)
        erased = {"Signup": (2, 2, 66.67), "Scrolled": (1, 1, 33.33)}
        assert await self.figures(store, *self.names) == erased
        await store.build_cells(NOON)
        store._remembered.all_changed()
        assert await self.figures(store, *self.names) == erased

    async def test_what_retention_deletes_reaches_no_goal(self, store: DuckDBStore) -> None:
        self.names = ["Signup", "Scrolled"]
        midnight = localtime.day_start("Europe/Berlin", localtime.day_of("Europe/Berlin", NOON))
        before = midnight - 2 * DAY
        visit = [
            # Read on the evening before, and viewed again after midnight.
            hit(before - 600_000, visitor=1),
            hit(before - 500_000, visitor=1, name=ENGAGEMENT, scroll_depth=80),
            hit(before + 100_000, visitor=1),
        ]
        signups = [hit(NOON - day * DAY, visitor=2, name="signup") for day in (1, 4)]
        await store.write(rows.Log().batch([*visit, *signups]))
        await store.build_cells(NOON)
        assert await self.figures(store, *self.names) == {
            "Signup": (1, 2, 50.0),
            "Scrolled": (1, 2, 50.0),
        }
        await store.retain(SITE, before)
        rest = await self.figures(store, *self.names)
        assert rest == {"Signup": (1, 1, 50.0)}
        await store.build_cells(NOON)
        await self.spoil(store)
        assert await self.figures(store, *self.names) == {"Signup": (1, 101, 50.0)}

    async def test_cells_of_goals_that_are_gone_are_deleted(self, store: DuckDBStore) -> None:
        self.names = ["Signup", "Read it"]
        log = rows.Log()
        await store.write(log.batch([hit(NOON - DAY, name="signup"), hit(NOON - DAY, path="/a")]))
        await store.build_cells(NOON)

        async def kept() -> set[str]:
            tables = "SELECT goal FROM goal_cells UNION SELECT value FROM cell_sums"
            found = await store._threads.read(
                lambda c: c.rows(f"{tables} WHERE dimension = 'event:goal'")
            )
            return {goal for (goal,) in found}

        assert await kept() == {cells.goal_key(GOALS[name]) for name in self.names}
        self.names = ["Signup"]
        await store.build_cells(NOON + DAY)
        assert await kept() == {cells.goal_key(GOALS["Signup"])}
        await store.delete_site(SITE)
        assert await kept() == set()
