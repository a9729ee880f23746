"""Every metric by every dimension under every filter, asked of two stores."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from msgspec import structs
from tests.cluster.traffic import DAY, HOUR, SITES, UNTIL

from analytics.errors import Malformed
from analytics.query import (
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    HasDone,
    Metric,
    Not,
    Op,
    Period,
    Query,
    Result,
)
from analytics.store import compiler

DIMENSIONS: Sequence[tuple[str, ...]] = (
    (),
    *((each.value,) for each in Dimension),
    ("event:props:plan",),
    (Dimension.PAGE, Dimension.DAY),
    (Dimension.SOURCE, Dimension.COUNTRY),
    (Dimension.BROWSER, Dimension.BROWSER_VERSION, Dimension.WEEK),
)


class Answers(Protocol):
    """A store, as far as it is asked here."""

    async def query(self, query: Query) -> Result: ...


def periods(timezone: str) -> Iterator[Period]:
    """All of it; some of its days; some hours that cut visits."""
    yield Period(UNTIL - 8 * DAY, UNTIL + DAY, timezone)
    yield Period(UNTIL - 4 * DAY - 12 * HOUR, UNTIL - DAY - 12 * HOUR, timezone)
    yield Period(UNTIL - 2 * DAY - 5 * HOUR, UNTIL - 2 * DAY + 20 * HOUR, timezone)


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


def queries(site: str) -> Iterator[Query]:
    """One query for each combination, with every metric that has a meaning in it."""
    for period in periods(SITES[site]):
        for wanted in filters():
            for dimensions in DIMENSIONS:
                base = Query(
                    site=site,
                    metrics=(Metric.EVENTS,),
                    period=period,
                    dimensions=dimensions,
                    filters=wanted,
                    total_rows=True,
                )
                metrics = tuple(each for each in Metric if _means(base, each))
                if metrics:
                    yield _with(base, metrics)


def _with(query: Query, metrics: tuple[Metric, ...]) -> Query:
    return structs.replace(query, metrics=metrics)


def _means(query: Query, metric: Metric) -> bool:
    try:
        compiler.check(_with(query, (metric,)))
    except Malformed:
        return False
    return True


async def differences(
    one: Answers, other: Answers, site: str, *, every: int = 1
) -> tuple[int, list[str]]:
    """How many figures were compared, and the questions that were answered differently.

    Of all the questions, only one in *every* is asked.
    """
    figures = 0
    found = []
    for query in islice(queries(site), 0, None, every):
        first, second = await asyncio.gather(one.query(query), other.query(query))
        figures += sum(len(row.metrics) for row in first.rows)
        if (first.rows, first.total_rows) != (second.rows, second.total_rows):
            found.append(f"{query}\n  {first.rows[:3]}\n  {second.rows[:3]}")
    return figures, found
