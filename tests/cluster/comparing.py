"""Every metric by every dimension under every filter, asked of two stores."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Protocol

from msgspec import structs
from tests.cluster.traffic import DAY, HOUR, SITES, UNTIL
from tests.real import PATIENCE_S

from analytics import localtime
from analytics.errors import Malformed, StoreUnavailable
from analytics.exploration import (
    Exploration,
    ExplorationResult,
    FunnelQuery,
    JourneyQuery,
    RetentionQuery,
    RetentionUnit,
)
from analytics.query import (
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    HasDone,
    InSequence,
    Metric,
    NamedFilter,
    Not,
    Op,
    Period,
    Query,
    Result,
    ScrolledTo,
)
from analytics.store.sql import cells, query_shape

_EVERY_RANGE = (cells.TOTAL, Dimension.PAGE, Dimension.SOURCE)
AT_ONCE = 3
"""So many questions are under way, each of two stores."""

DIMENSIONS: Sequence[tuple[str, ...]] = (
    (),
    *((each.value,) for each in Dimension),
    ("event:props:plan",),
    (Dimension.PAGE, Dimension.DAY),
    (Dimension.SOURCE, Dimension.COUNTRY),
    (Dimension.BROWSER, Dimension.BROWSER_VERSION, Dimension.WEEK),
)
_VIEWED = Compare(Op.IS, Dimension.NAME, ("pageview",))
_SIGNUP = Compare(Op.IS, Dimension.NAME, ("signup",))
GOALS: Sequence[Filter] = (
    All((_VIEWED, Compare(Op.MATCHES, Dimension.PAGE, ("^/docs/.*$",)))),
    All((_SIGNUP,)),
    All((_SIGNUP, Compare(Op.IS, "event:props:plan", ("team",)))),
    All((_VIEWED, Compare(Op.IS, Dimension.PAGE, ("/pricing",)), ScrolledTo(70))),
)
"""Of each site: a page by a wildcard, an event, one with a property, and how far down one gets."""
_NAMED_GOALS = tuple(NamedFilter(f"Goal {number}", goal) for number, goal in enumerate(GOALS))


class Answers(Protocol):
    """A store, as far as it is asked here."""

    async def query(self, query: Query) -> Result: ...

    async def explore(self, asked: Exploration) -> ExplorationResult: ...


def periods(timezone: str) -> Sequence[Period]:
    """All of it; some hours that cut visits; some of its days."""
    return (
        Period(UNTIL - 8 * DAY, UNTIL + DAY, timezone),
        Period(UNTIL - 2 * DAY - 5 * HOUR, UNTIL - 2 * DAY + 20 * HOUR, timezone),
        Period(UNTIL - 4 * DAY - 12 * HOUR, UNTIL - DAY - 12 * HOUR, timezone),
    )


def filters() -> Iterator[tuple[Filter, ...]]:
    """None; each dimension; each operator; each way to combine."""
    yield ()
    values = {
        Dimension.PAGE: "/pricing",
        Dimension.HOSTNAME: "a.example",
        Dimension.NAME: "signup",
        Dimension.TITLE: "Pricing",
        Dimension.ENTRY_PAGE: "/",
        Dimension.ENTRY_HOSTNAME: "b.example",
        Dimension.EXIT_PAGE: "/about",
        Dimension.EXIT_HOSTNAME: "a.example",
        Dimension.SOURCE: "Google",
        Dimension.REFERRER: "google.com/",
        Dimension.CHANNEL: "Direct",
        Dimension.UTM_SOURCE: "newsletter",
        Dimension.UTM_MEDIUM: "email",
        Dimension.UTM_CAMPAIGN: "brand",
        Dimension.COUNTRY: "DE",
        Dimension.REGION: "US-CA",
        Dimension.CITY: "Paris",
        Dimension.DEVICE: "Mobile",
        Dimension.BROWSER: "Chrome",
        Dimension.BROWSER_VERSION: "142",
        Dimension.OS: "iOS",
        Dimension.OS_VERSION: "16",
        Dimension.LANGUAGE: "fr-fr",
        Dimension.SCREEN: "390x844",
        "event:props:plan": "team",
    }
    for dimension, value in values.items():
        yield (Compare(Op.IS, dimension, (value,)),)
    for op in Op:
        yield (Compare(op, Dimension.PAGE, ("/docs/api", "/blog")),)
    docs = Compare(Op.CONTAINS, Dimension.PAGE, ("/DOCS",), case_sensitive=False)
    google = Compare(Op.IS, Dimension.SOURCE, ("Google",))
    signup = Compare(Op.IS, Dimension.NAME, ("signup",))
    yield (docs, google)
    yield (Any((docs, google)),)
    yield (Not(All((docs, google))),)
    yield (HasDone(signup),)
    yield (HasDone(signup, negated=True), docs)
    yield (InSequence((Compare(Op.IS, Dimension.PAGE, ("/",)), docs)),)


def queries(site: str) -> Iterator[Query]:
    """One query for each combination, with every metric that has a meaning in it."""
    everything, hours, days = periods(SITES[site])
    for dimensions in DIMENSIONS:
        for wanted in filters():
            # How many rows there are is a statement of its own, as dear as the answer.
            yield from _with_all_metrics(
                _query(site, everything, dimensions, filters=wanted, total_rows=True)
            )
            yield from _with_all_metrics(_query(site, hours, dimensions, filters=wanted))
        yield from _with_all_metrics(_query(site, days, dimensions))
        yield from _with_all_metrics(_query(site, everything, dimensions, bots=True))
        for goal in GOALS:  # as a filter: then there are rates of the conversion to it
            yield from _with_all_metrics(
                _query(site, everything, dimensions, filters=(goal,), base_filters=())
            )


def queries_of_days(site: str) -> Iterator[Query]:
    """What cells can answer, for ranges of whole days: by each dimension, with its metrics.

    The site as a whole, its pages and its sources for every range that there is.
    """
    timezone = SITES[site]
    today = localtime.day_of(timezone, UNTIL)
    for first, end in combinations(range(today - 6, today + 2), 2):
        period = Period(
            localtime.day_start(timezone, first), localtime.day_start(timezone, end), timezone
        )
        for key in (cells.TOTAL, *cells.DIMENSIONS) if (first + end) % 7 == 0 else _EVERY_RANGE:
            dimensions = () if key == cells.TOTAL else (key,)
            known = cells.metrics_of(key)
            for time in ((), (Dimension.DAY,), (Dimension.WEEK,)):
                for query in _with_all_metrics(_query(site, period, (*time, *dimensions))):
                    yield _with(query, tuple(m for m in query.metrics if m in known))
        of_goals = cells.metrics_of(Dimension.GOAL)
        for query in _with_all_metrics(_query(site, period, (Dimension.GOAL,))):
            yield _with(query, tuple(m for m in query.metrics if m in of_goals))


def explorations(site: str) -> Iterator[Exploration]:
    """Funnels of each kind by page and by goal, journeys both ways, retention by each unit."""
    pages = [Compare(Op.IS, Dimension.PAGE, (path,)) for path in ("/", "/pricing", "/about")]
    for period in periods(SITES[site]):
        for steps in ((*pages,), (pages[0], GOALS[1]), (GOALS[0], GOALS[3], GOALS[2])):
            for strict in (False, True):
                for days in (None, 3):
                    yield FunnelQuery(
                        site=site, period=period, steps=steps, strict=strict, within_days=days
                    )
        for start in (pages[1], GOALS[1]):
            for forward in (True, False):
                yield JourneyQuery(
                    site=site, period=period, start=start, forward=forward, events=True
                )
        for unit in RetentionUnit:
            yield RetentionQuery(site=site, period=period, unit=unit)
        google = Compare(Op.IS, Dimension.SOURCE, ("Google",))
        yield RetentionQuery(site=site, period=period, filters=(google,))
        yield FunnelQuery(site=site, period=period, steps=(*pages,), filters=(google,), bots=True)


async def differing(one: Answers, other: Answers, asked: Iterable[Exploration]) -> list[str]:
    """Return which of *asked* two stores answer differently, one question after the other."""
    differing: list[str] = []
    for question in asked:
        async with asyncio.timeout(PATIENCE_S):
            first, second = await asyncio.gather(one.explore(question), other.explore(question))
        if first != second:
            differing.append(f"{question}\n  {first}\n  {second}")
    return differing


def some(
    questions: Iterable[Query], every: int, *, always: Callable[[Query], bool] = lambda _: False
) -> list[Query]:
    """About one in *every* of *questions*, with no pattern, the same ones each time."""
    dice = random.Random(every)
    return [query for query in questions if dice.randrange(every) == 0 or always(query)]


def _query(site: str, period: Period, dimensions: tuple[str, ...], **more: object) -> Query:
    base = Query(site=site, metrics=(Metric.EVENTS,), period=period, dimensions=dimensions)
    query = structs.replace(base, **more)
    if Dimension.GOAL not in dimensions:
        return query
    return structs.replace(query, goals=_NAMED_GOALS, base_filters=query.filters)


def _with_all_metrics(query: Query) -> Iterator[Query]:
    metrics = tuple(each for each in Metric if _means(query, each))
    if metrics:
        yield _with(query, metrics)


def _with(query: Query, metrics: tuple[Metric, ...]) -> Query:
    return structs.replace(query, metrics=metrics)


def _means(query: Query, metric: Metric) -> bool:
    try:
        query_shape.check(_with(query, (metric,)))
    except Malformed:
        return False
    return True


async def answer_of(store: Answers, query: Query) -> Result:
    """Return what *store* answers, however often a busy server says to ask again later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await store.query(query)
            except StoreUnavailable as exc:
                if "ask again later" not in str(exc):
                    raise
                await asyncio.sleep(1)


@dataclass
class Compared:
    """How much was compared, and what was answered differently."""

    questions: int = 0
    figures: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, query: Query, first: Result, second: Result) -> None:
        self.questions += 1
        self.figures += sum(len(row.metrics) for row in first.rows)
        if first != second:
            self.differences.append(f"{query}\n  {first.rows[:3]}\n  {second.rows[:3]}")


async def compare(one: Answers, other: Answers, questions: Iterable[Query]) -> Compared:
    """Ask both stores each of *questions*."""
    compared = Compared()
    left = iter(questions)

    async def ask() -> None:
        for query in left:
            compared.add(
                query, *await asyncio.gather(answer_of(one, query), answer_of(other, query))
            )

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return compared


async def answers(store: Answers, questions: Sequence[Query]) -> list[Result]:
    """What *store* answers each of *questions*."""
    found: dict[Query, Result] = {}
    left = iter(questions)

    async def ask() -> None:
        for query in left:
            found[query] = await answer_of(store, query)

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return [found[query] for query in questions]


async def differences(
    one: Answers, other: Answers, site: str, *, every: int
) -> tuple[int, list[str]]:
    """How many figures of one question in *every* were compared, and where they differ."""
    compared = await compare(one, other, some(queries(site), every))
    return compared.figures, compared.differences
