"""The compiled SQL against the oracle, which counts the same events by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.event import ENGAGEMENT, PAGEVIEW, Hit
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.query import (
    TIME_DIMENSIONS,
    All,
    Any,
    Compare,
    CurrencyRates,
    DailyRates,
    Dimension,
    Filter,
    HasDone,
    InSequence,
    Metric,
    NamedFilter,
    Not,
    Op,
    Order,
    Period,
    Query,
    ScrolledTo,
)
from analytics.store.connection import Connection
from analytics.store.duckdb import apply, executor, writing
from analytics.store.duckdb.engine import Engine
from analytics.store.sql.columns import EVENT_COLUMNS, VISIT_COLUMNS
from analytics.store.sql.measures import GOAL_METRICS, VISIT_METRICS
from analytics.testing.oracles import answers

HOUR, DAY = 3_600_000, 86_400_000
SOURCES = Sources()
# A day whose clocks change: at night, at midnight itself, and (Tehran) not at all any more.
TURNS = (
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/Santiago", date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Asia/Tehran", date(2026, 3, 1)),
    ("Etc/UTC", date(2026, 11, 1)),
)
TEXTS = st.sampled_from(["/", "/a", "/A", "/b", "/blog/ä", ""])
PROPS = st.dictionaries(st.sampled_from(["plan", "tier"]), st.sampled_from(["pro", "Free"]))


class Stored:
    """A database into which hits go under ever new site names."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self._file = writing.RowFile(connection, folder)
        self._numbers = count()

    def new_site(self) -> str:
        return f"s{next(self._numbers)}.example"

    def write(self, hits: Sequence[Hit]) -> None:
        state = PipelineState(SOURCES)
        outcome = fold(list(enumerate(hits)), state, set())
        batch = WriteBatch(outcome.rows, outcome.ledger, (), 0, len(hits))
        apply.write(self.connection, batch, self._file)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("store")
    engine = Engine(folder / "test.duckdb", "512MB", 2)
    yield Stored(engine.connect(), folder)
    engine.close()


@st.composite
def hits(draw: st.DrawFn, site: str, midnight: int) -> list[Hit]:
    """Events around a midnight, some late, some of machines, some of two tabs at once."""
    size = draw(st.integers(0, 24))
    now = midnight - 20 * HOUR
    made = []
    for number in range(size):
        now += draw(
            st.sampled_from([0, 1, 60_000, 20 * 60_000, 30 * 60_000, 31 * 60_000, 6 * HOUR])
        )
        late = draw(st.sampled_from([0, 0, 0, 60_000, 45 * 60_000, 26 * HOUR]))
        name = draw(st.sampled_from([PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"]))
        paid = name == "signup" and draw(st.booleans())
        made.append(
            Hit(
                event_id=f"00000000-0000-0000-0000-{number:012x}",
                site=site,
                ts=now - late,
                received_at=now,
                visitor=draw(st.sampled_from([1, 2, 2**64 - 1])),
                name=name,
                hostname=draw(st.sampled_from(["x.example", "y.example"])),
                path=draw(TEXTS),
                title=draw(st.sampled_from(["", "T"])),
                referrer=draw(st.sampled_from(["", "google.com", "news.example/x"])),
                country=draw(st.sampled_from(["", "DE", "IR"])),
                browser=draw(st.sampled_from(["Firefox", "Safari"])),
                props={} if name == ENGAGEMENT else draw(PROPS),
                revenue=draw(st.sampled_from(["1.5", "-0.333", "2"])) if paid else None,
                currency=draw(st.sampled_from(["EUR", "EUR", "USD", "JPY"])) if paid else "",
                scroll_depth=draw(st.integers(0, 100)) if name == ENGAGEMENT else None,
                engaged_ms=draw(st.integers(0, 90_000)) if name == ENGAGEMENT else 0,
                interactive=draw(st.booleans()),
                bot=draw(st.sampled_from([None, None, None, "crawler"])),
            )
        )
    return made


def compares() -> st.SearchStrategy[Filter]:
    text = TEXTS | st.sampled_from(
        ["(not set)", "(none)", "Direct / None", "google", "DE", "pro", "o.l", ".*", "(", "\\Q"]
    )
    texts = st.lists(text, min_size=1, max_size=3).map(tuple)
    patterns = st.sampled_from([("^/",), ("a$", "b$"), ("(?s).",)])
    dimensions = st.sampled_from(
        [*VISIT_COLUMNS, *EVENT_COLUMNS, "visit:exit_page", "event:props:plan"]
    )
    plain = st.sampled_from([Op.IS, Op.IS_NOT, Op.CONTAINS, Op.CONTAINS_NOT])
    matching = st.sampled_from([Op.MATCHES, Op.MATCHES_NOT])
    return st.builds(Compare, plain, dimensions, texts, st.booleans()) | st.builds(
        Compare, matching, dimensions, patterns, st.booleans()
    )


def filters() -> st.SearchStrategy[Filter]:
    return st.recursive(
        compares() | st.builds(ScrolledTo, st.integers(1, 100)),
        lambda inner: (
            st.builds(All, st.tuples(inner, inner))
            | st.builds(Any, st.tuples(inner, inner))
            | st.builds(Not, inner)
            | st.builds(HasDone, inner, st.booleans())
            | st.builds(InSequence, st.tuples(inner, inner))
        ),
        max_leaves=3,
    )


FILTERS = filters()
CURRENCIES = st.sampled_from(["", "EUR", "USD", "JPY"])


@st.composite
def rates(draw: st.DrawFn, day: int) -> DailyRates:
    """Rates of some days around *day*, not all of each currency."""
    days = sorted(draw(st.sets(st.integers(day - 12, day + 3), max_size=6)))
    listed = []
    for currency in ("EUR", "USD", "JPY"):
        quoted = st.sampled_from(["", "1", "1.0876", "163.12", "0.00612345", "999999999.00000001"])
        listed.append(CurrencyRates(currency, tuple(draw(quoted) for _ in days)))
    return DailyRates(tuple(days), tuple(listed))


@st.composite
def queries(draw: st.DrawFn, site: str, zone: str, midnight: int) -> Query:
    """A question with a meaning, over a few hours or days around *midnight*."""
    of_pages = {Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH}
    of_exits = {Metric.EXITS, Metric.EXIT_RATE}
    known = [d.value for d in Dimension if d not in TIME_DIMENSIONS] + ["event:props:plan"]
    dimensions = draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
    if draw(st.booleans()):
        dimensions.append(draw(st.sampled_from(sorted(TIME_DIMENSIONS))))
    allowed = set(Metric)
    if Dimension.PAGE not in dimensions:
        allowed -= of_pages
        if Dimension.EXIT_PAGE not in dimensions:
            allowed -= of_exits
    if Dimension.GOAL in dimensions:
        allowed.remove(Metric.GROUP_CONVERSION_RATE)
    if any(
        d.startswith("event:") and d not in ("event:page", "event:hostname") for d in dimensions
    ):
        allowed -= VISIT_METRICS
    metrics = draw(st.lists(st.sampled_from(sorted(allowed)), min_size=1, unique=True))
    start = midnight + draw(st.sampled_from([-2 * DAY, -DAY, -HOUR, 0, HOUR]))
    end = start + draw(st.sampled_from([HOUR, DAY - HOUR, DAY, 3 * DAY, 40 * DAY]))
    given_filters = draw(st.lists(FILTERS, max_size=2))
    if draw(st.integers(0, 4)) == 0 and not any(d.startswith("event:") for d in dimensions):
        given_filters.append(Compare(Op.IS, Dimension.PAGE, (draw(TEXTS),)))
        metrics.append(draw(st.sampled_from([Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH])))
    if draw(st.integers(0, 4)) == 0:
        steps = draw(st.lists(FILTERS, min_size=1, max_size=2))
        given_filters = [InSequence(tuple(steps), next_event=True)]
        metrics = [each for each in metrics if each not in of_pages or Dimension.PAGE in dimensions]
        metrics = metrics or [Metric.EVENTS]
    orders = st.builds(Order, st.sampled_from([*metrics, *dimensions]), st.booleans())
    names = draw(st.lists(st.sampled_from(["A", "B", "C"]), max_size=3, unique=True))
    return Query(
        site=site,
        metrics=tuple(metrics),
        goals=tuple(NamedFilter(name, draw(FILTERS), draw(CURRENCIES)) for name in names)
        if Dimension.GOAL in dimensions
        else (),
        base_filters=tuple(draw(st.lists(FILTERS, max_size=1)))
        if GOAL_METRICS.intersection(metrics)
        else None,
        period=Period(start, end, zone),
        dimensions=tuple(dimensions),
        filters=tuple(given_filters),
        currency=draw(CURRENCIES),
        rates=draw(st.none() | rates(midnight // DAY)),
        order_by=tuple(draw(st.lists(orders, max_size=2))),
        limit=draw(st.sampled_from([10_000, 2])),
        offset=draw(st.sampled_from([0, 1])),
        bots=draw(st.booleans()),
        fewest_visitors=draw(st.sampled_from([0, 2])) if Metric.VISITORS in metrics else 0,
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_figure_is_the_oracles(stored: Stored, data: st.DataObject) -> None:
    zone, day = data.draw(st.sampled_from(TURNS))
    midnight = round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1000)
    site = stored.new_site()
    sent = data.draw(hits(site, midnight))
    stored.write(sent)
    for _ in range(4):
        query = data.draw(queries(site, zone, midnight))
        assert executor.answer(stored.connection, query).rows == answers.answer(sent, query)
