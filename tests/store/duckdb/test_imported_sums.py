"""Where sums stand for days of events, every answer that they join is that of the events."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.rows import DAY, HOUR, Log

from analytics.event import ENGAGEMENT, Hit
from analytics.query import (
    Compare,
    Dimension,
    Imports,
    Metric,
    NamedFilter,
    Op,
    Period,
    Query,
)
from analytics.store.base import ImportedFile
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers
from analytics.testing.oracles.daily_sums import sums_of

ZONE = "Europe/Berlin"
MIDNIGHT = NOON - 13 * HOUR
"""The beginning of that day in `ZONE`."""
DAYS = 6
SECOND = 1_000
PATHS = ("/", "/a", "/b")
VALUES: dict[str, Sequence[str]] = {
    "referrer": ("", "google.com", "site.example/a"),
    "utm_source": ("", "letter"),
    "utm_medium": ("", "email"),
    "country": ("", "DE", "EE"),
    "region": ("", "DE-BE", "EE-37"),
    "city": ("", "Berlin"),
    "device": ("Desktop", "Mobile"),
    "browser": ("Firefox", "Edge"),
    "browser_version": ("", "140.0"),
    "os": ("Linux", "Mac OS X"),
    "os_version": ("", "10.15"),
}
OF_VISITS = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
    Metric.VIEWS_PER_VISIT,
)
OF_PAGES = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.TIME_ON_PAGE,
    Metric.SCROLL_DEPTH,
)
KINDS = (
    (Dimension.SOURCE, Dimension.CHANNEL, Dimension.REFERRER, Dimension.UTM_MEDIUM),
    (Dimension.COUNTRY, Dimension.REGION, Dimension.CITY, Dimension.COUNTRY_NAME),
    (Dimension.DEVICE,),
    (Dimension.BROWSER, Dimension.BROWSER_VERSION),
    (Dimension.OS, Dimension.OS_VERSION),
    (Dimension.ENTRY_PAGE,),
    (Dimension.EXIT_PAGE,),
)
TIMES = (Dimension.DAY, Dimension.WEEK, Dimension.MONTH)


@st.composite
def visitors(draw: st.DrawFn) -> list[Hit]:
    """Visitors of six days, each of one day and with one value of everything, up to two visits."""
    hits: list[Hit] = []
    for number in range(draw(st.integers(1, 12))):
        own = {name: draw(st.sampled_from(each)) for name, each in VALUES.items()}
        own |= {"visitor": number + 1, "hostname": SITE}
        day = MIDNIGHT - draw(st.integers(0, DAYS - 1)) * DAY
        for visit in range(draw(st.integers(1, 2))):
            hits += draw(_visit(day + (2 + 8 * visit) * HOUR, own))
    return hits


@st.composite
def _visit(draw: st.DrawFn, at: int, own: dict[str, Any]) -> list[Hit]:
    hits = []
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PATHS))
        hits.append(hit(at, path=path, **own))
        if draw(st.booleans()):
            at += SECOND * draw(st.integers(1, 600))
            measured = {"engaged_ms": SECOND, "scroll_depth": draw(st.integers(0, 100))}
            hits.append(hit(at, name=ENGAGEMENT, path=path, **own, **measured))
        if draw(st.integers(0, 3)) == 0:
            name = draw(st.sampled_from(["signup", "File Download"]))
            props = {"url": f"/{own['visitor'] % 2}.pdf"} if name != "signup" else {}
            hits.append(hit(at, name=name, path=path, props=props, **own))
        at += SECOND * draw(st.integers(1, 600))
    return hits


def queries(hits: Sequence[Hit]) -> Iterator[Query]:
    period = Period(MIDNIGHT - (DAYS - 1) * DAY, MIDNIGHT + DAY, ZONE)

    def ask(metrics: Sequence[Metric], *dimensions: str, **more: Any) -> Query:
        return Query(
            site=SITE,
            metrics=tuple(metrics),
            period=period,
            dimensions=dimensions,
            imports=True,
            **more,
        )

    yield ask(OF_VISITS)
    for time in TIMES:
        yield ask(OF_VISITS, time)
    for dimensions in KINDS:
        for dimension in dimensions:
            yield ask((*OF_VISITS, Metric.PERCENTAGE), dimension)
            yield ask(OF_VISITS, *dict.fromkeys((Dimension.DAY, dimension, dimensions[0])))
            (first, *_) = answers.answer(hits, ask(OF_VISITS, dimension))
            # Who has two values counts under both, and so twice where both are in a sum.
            of_one_value = dimension not in (Dimension.ENTRY_PAGE, Dimension.EXIT_PAGE)
            for op in (Op.IS, Op.IS_NOT)[: 1 + of_one_value]:
                chosen = (Compare(op, dimension, first.dimensions),)
                yield ask((*OF_VISITS, Metric.PERCENTAGE), dimensions[-1], filters=chosen)
                yield ask(OF_VISITS, filters=chosen)
    yield ask((*OF_PAGES, Metric.BOUNCE_RATE, Metric.VISIT_DURATION), Dimension.PAGE)
    yield ask((Metric.VISITS, Metric.EXITS, Metric.EXIT_RATE), Dimension.EXIT_PAGE)
    for chosen in (
        Compare(Op.IS, Dimension.PAGE, ("/a",)),
        Compare(Op.CONTAINS_NOT, Dimension.PAGE, ("B",), case_sensitive=False),
        Compare(Op.MATCHES, Dimension.PAGE, ("^/[ab]$",)),
    ):
        yield ask(OF_PAGES, Dimension.PAGE, filters=(chosen,))
        if chosen.op is Op.IS:
            yield ask(OF_PAGES, Dimension.DAY, filters=(chosen,))
    of_events = (Metric.VISITORS, Metric.EVENTS)
    download = Compare(Op.IS, Dimension.NAME, ("File Download",))
    yield ask(of_events, filters=(Compare(Op.IS, Dimension.NAME, ("signup", "other")),))
    yield ask(of_events, "event:props:url", filters=(download,))
    custom = (Compare(Op.IS_NOT, Dimension.NAME, ("pageview",)),)
    yield ask(of_events, Dimension.NAME, filters=custom)
    goals = (
        NamedFilter("Signup", Compare(Op.IS, Dimension.NAME, ("signup",))),
        NamedFilter("Download", download),
    )
    yield ask(
        (*of_events, Metric.CONVERSIONS, Metric.CONVERSION_RATE),
        Dimension.GOAL,
        goals=goals,
        base_filters=(),
    )
    yield ask(
        (Metric.VISITORS, Metric.GROUP_CONVERSION_RATE),
        Dimension.DAY,
        filters=(download,),
        base_filters=(),
    )


async def _check(
    hits: Sequence[Hit], imported_days: int, asked_for: Sequence[int], folder: Path
) -> None:
    first_own = MIDNIGHT - (DAYS - 1 - imported_days) * DAY
    past = [each for each in hits if each.ts < first_own]
    lines = msgspec.json.Encoder().encode_lines(sums_of(past, ZONE))
    path = folder / "sums.ndjson"
    path.write_bytes(lines)
    async with DuckDBStore(folder / "store.duckdb", timezones=lambda: {SITE: ZONE}) as store:
        export = ImportedFile("plausible", "export.zip", path, sha256(lines).hexdigest(), 0)
        added = await store.add_import(SITE, ZONE, export)
        await store.write(Log().batch([each for each in hits if each.ts >= first_own]))
        await store.build_cells(NOON + DAY)
        every = list(queries(hits))
        for asked in (every[number % len(every)] for number in asked_for):
            answered = await store.query(asked)
            assert answered.rows == answers.answer(hits, asked), asked
            known = Imports.INCLUDED if added.is_new else Imports.NO_IMPORTED_DATA
            assert answered.imports is known, asked


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(visitors(), st.integers(0, DAYS), st.lists(st.integers(0, 999), min_size=4, max_size=4))
def test_days_of_sums_answer_as_the_days_of_events_did(
    hits: list[Hit], imported_days: int, asked_for: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(hits, imported_days, asked_for, Path(folder)))
