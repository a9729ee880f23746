#!/usr/bin/env python3
"""How fast the dashboard's questions are answered, against DuckDB asked by hand in the same run.

Makes a site with N events over 30 days, builds its cells, and asks for the whole dashboard
(headline, daily series, top pages, sources, countries, browsers, devices):

- over 25 days inside: from cells;
- over 28 days up to now: from cells, and today from rows;
- with one filter (a country): from rows;

and by hand-written SQL with count(distinct) over the same rows. Of both spans without a filter it
asks for the panel of ten goals besides, from rows before the goals have cells, and from these
after. Every figure must be equal. Prints seconds and ratios, and keeps them in bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from analytics.api import named_filters
from analytics.goal import Goal
from analytics.query import (
    Compare,
    Dimension,
    Filter,
    Metric,
    NamedFilter,
    Op,
    Period,
    Query,
    Result,
)
from analytics.store.duckdb import DuckDBStore

SITE = "bench.example"
ZONE = "Europe/Berlin"
DAY = 86_400_000
DAYS = 30
LAST = round(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1000) - 2 * 3_600_000
"""Midnight in Berlin; thirty days and most of one more lie before NOW."""
FIRST = LAST - DAYS * DAY
NOW = LAST + 20 * 3_600_000
EVENTS_PER_VISIT = 3.0
RESULTS = Path(__file__).parent / "results"

# Pseudo-random numbers of [0, 1) that are the same in every run.
GENERATE = """
CREATE OR REPLACE TEMP MACRO u(i, salt) AS
    ((hash(i * 1000003 + salt) >> 11) / 9007199254740992.0);
CREATE OR REPLACE TEMP TABLE people AS
SELECT i AS n, hash(i) AS visitor,
    'C' || floor(pow(200, u(i, 1)))::INT AS country,
    (['Chrome', 'Safari', 'Firefox', 'Edge', 'Samsung'])[1 + floor(5 * pow(u(i, 2), 2))::INT]
        AS browser,
    (['Mobile', 'Desktop', 'Tablet'])[1 + floor(3 * pow(u(i, 3), 1.5))::INT] AS device,
    (['Android', 'iOS', 'Windows', 'macOS', 'Linux'])[1 + floor(5 * u(i, 4))::INT] AS os,
    (['de-de', 'en-us', 'fr', 'fa'])[1 + floor(4 * u(i, 5))::INT] AS language
FROM range($people) AS t(i);
CREATE OR REPLACE TEMP TABLE visits AS
SELECT i, floor($people * pow(u(i, 11), 1.3))::BIGINT AS n,
    ($first + floor(u(i, 12) * ($now - $first)))::BIGINT AS start,
    1 + floor(-ln(1 - u(i, 13)) * 2.5)::INT AS size,
    CASE WHEN u(i, 14) < 0.35 THEN '' ELSE 'Source ' || floor(pow(300, u(i, 15)))::INT END AS source
FROM range($visits) AS t(i) ORDER BY start;
INSERT INTO rows BY NAME
WITH events AS (
    SELECT v.i, v.n, v.start, v.source, k,
        v.start + (k - 1) * (4000 + floor(u(v.i, 20) * 56000))::BIGINT AS ts,
        (k - 1) * (4000 + floor(u(v.i, 20) * 56000))::BIGINT AS since,
        CASE WHEN k = 1 THEN 'pageview' WHEN u(v.i * 64 + k, 21) < 0.15 THEN 'engagement'
            WHEN u(v.i * 64 + k, 21) < 0.18 THEN 'signup' WHEN u(v.i * 64 + k, 21) < 0.19
            THEN 'purchase' ELSE 'pageview' END AS name,
        '/page/' || floor(pow(3000, u(v.i * 64 + k, 22)))::INT AS path,
        '/page/' || floor(pow(3000, u(v.i * 64 + 1, 22)))::INT AS entry
    FROM visits v, unnest(range(1, v.size + 1)) AS s(k)
)
SELECT
    uuid() AS event_id, $site AS site, ts, ts + 50 AS received_at, visitor, name,
    'bench.example' AS hostname, CASE WHEN name = 'engagement' THEN
        lag(CASE WHEN name = 'pageview' THEN path END IGNORE NULLS) OVER w ELSE path END AS path,
    '' AS title, '' AS referrer, source,
    CASE WHEN source = '' THEN 'Direct' ELSE 'Referral' END AS channel,
    '' AS utm_source, '' AS utm_medium, '' AS utm_campaign, '' AS utm_content, '' AS utm_term,
    '' AS click_id, country, '' AS region, '' AS city, device, browser, '1' AS browser_version,
    os, '1' AS os_version, '1920x1080' AS screen, language,
    CASE WHEN name = 'signup' THEN MAP {'plan': (['free', 'pro', 'team'])[1 + i % 3]}
        ELSE MAP([]::VARCHAR[], []::VARCHAR[]) END AS props, NULL AS revenue,
    '' AS currency,
    CASE WHEN name = 'engagement' THEN floor(101 * u(i * 64 + k, 23)) END AS scroll_depth,
    CASE WHEN name = 'engagement' THEN 5000 ELSE 0 END AS engaged_ms, true AS interactive,
    NULL AS bot, 0 AS skew_ms, 0 AS log_offset, hash(i + 7) AS session, start AS session_start,
    CASE WHEN k = 1 THEN 1 ELSE 0 END AS opens,
    CASE WHEN name = 'pageview' AND count(*) FILTER (name = 'pageview') OVER w = 2
        THEN 1 ELSE 0 END AS engages,
    CASE WHEN k = 1 THEN 0 ELSE since // (k - 1) END AS gap_ms,
    CASE WHEN name = 'pageview' THEN lag(CASE WHEN name = 'pageview' THEN path END IGNORE NULLS)
        OVER w END AS prev_path,
    NULL AS prev_hostname, 'bench.example' AS entry_hostname, entry AS entry_path,
    '' AS entry_referrer, source AS entry_source,
    CASE WHEN source = '' THEN 'Direct' ELSE 'Referral' END AS entry_channel,
    '' AS entry_utm_source, '' AS entry_utm_medium, '' AS entry_utm_campaign,
    '' AS entry_utm_content, '' AS entry_utm_term, country AS entry_country,
    '' AS entry_region, '' AS entry_city, device AS entry_device, browser AS entry_browser,
    '1' AS entry_browser_version, os AS entry_os, '1' AS entry_os_version,
    '1920x1080' AS entry_screen, language AS entry_language
FROM events JOIN people USING (n)
WINDOW w AS (PARTITION BY i ORDER BY k)
ORDER BY received_at
"""

HEADLINE = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.VIEWS_PER_VISIT,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
)
LISTS = {
    "pages": Dimension.PAGE,
    "sources": Dimension.SOURCE,
    "countries": Dimension.COUNTRY,
    "browsers": Dimension.BROWSER,
    "devices": Dimension.DEVICE,
}


GOALS = (
    Goal(id=1, name="Page", page="/page/1"),
    Goal(id=2, name="Pages that begin with 2", page="/page/2*"),
    Goal(id=3, name="Pages that end with 5", page="/page/*5"),
    Goal(id=4, name="Pages from 30 on", page="/page/30*"),
    Goal(id=5, name="Signup", event="signup"),
    Goal(id=6, name="Signup, free", event="signup", properties=(("plan", "free"),)),
    Goal(id=7, name="Signup, pro", event="signup", properties=(("plan", "pro"),)),
    Goal(id=8, name="Signup, team", event="signup", properties=(("plan", "team"),)),
    Goal(id=9, name="Purchase", event="purchase"),
    Goal(id=10, name="Read to the end", page="/page/1", scroll=90),
)
GOALS_BY_HAND = (
    "name = 'pageview' AND path = '/page/1'",
    "name = 'pageview' AND path LIKE '/page/2%'",
    "name = 'pageview' AND path LIKE '/page/%5'",
    "name = 'pageview' AND path LIKE '/page/30%'",
    "name = 'signup'",
    "name = 'signup' AND props['plan'] = 'free'",
    "name = 'signup' AND props['plan'] = 'pro'",
    "name = 'signup' AND props['plan'] = 'team'",
    "name = 'purchase'",
    (
        "name = 'pageview' AND path = '/page/1' AND (session, path) IN"
        " (SELECT session, path FROM rows WHERE scroll_depth >= 90)"
    ),
)


def panel_of_goals(period: Period) -> Query:
    """The question that the panel of goals asks besides."""
    return Query(
        site=SITE,
        metrics=(Metric.VISITORS, Metric.CONVERSIONS, Metric.CONVERSION_RATE),
        period=period,
        dimensions=(Dimension.GOAL,),
        goals=tuple(NamedFilter(goal.name, named_filters.filter_of(goal)) for goal in GOALS),
        base_filters=(),
        limit=len(GOALS),
    )


def goals_by_hand(start: int, end: int) -> str:
    """The same question, without the rate."""
    counted = ", ".join(
        f"count(DISTINCT visitor) FILTER ({reached}), count(*) FILTER ({reached})"
        for reached in GOALS_BY_HAND
    )
    return (
        f"SELECT {counted} FROM rows WHERE site = '{SITE}' AND bot IS NULL"
        f" AND name <> 'engagement' AND ts >= {start} AND ts < {end}"
    )


def dashboard(period: Period, filters: tuple[Compare, ...] = ()) -> dict[str, Query]:
    """The questions that one look at the dashboard asks."""

    def ask(metrics: tuple[Metric, ...], *dimensions: str, limit: int = 10_000) -> Query:
        return Query(
            site=SITE,
            metrics=metrics,
            period=period,
            dimensions=dimensions,
            filters=filters,
            limit=limit,
        )

    return {
        "headline": ask(HEADLINE),
        "series": ask((Metric.VISITORS, Metric.PAGEVIEWS), Dimension.DAY),
        "pages": ask((Metric.VISITORS, Metric.PAGEVIEWS), Dimension.PAGE, limit=9),
        **{
            name: ask((Metric.VISITORS,), dimension, limit=9)
            for name, dimension in LISTS.items()
            if name != "pages"
        },
    }


def by_hand(start: int, end: int, country: str | None) -> dict[str, str]:
    """The same questions as somebody would write them who knows the table."""
    where = f"site = '{SITE}' AND bot IS NULL"
    if country:
        where += f" AND entry_country = '{country}'"
    events = f"{where} AND name <> 'engagement' AND ts >= {start} AND ts < {end}"
    visits = f"{where} AND session_start >= {start} AND session_start < {end}"
    listed = {
        name: f"""SELECT {column} AS k, count(DISTINCT visitor) AS v FROM rows WHERE {events}
            GROUP BY k ORDER BY v DESC, k LIMIT 9"""
        for name, column in {
            "sources": "CASE WHEN entry_source = '' THEN 'Direct / None' ELSE entry_source END",
            "countries": "entry_country",
            "browsers": "entry_browser",
            "devices": "entry_device",
        }.items()
    }
    return {
        "headline": f"""SELECT * FROM
            (SELECT count(DISTINCT visitor), count(*) FILTER (name = 'pageview') FROM rows
                WHERE {events}),
            (SELECT count(DISTINCT session), sum(engages), sum(gap_ms),
                count(*) FILTER (name = 'pageview') FROM rows WHERE {visits})""",
        "series": f"""SELECT (ts + 7200000) // {DAY} AS d, count(DISTINCT visitor),
            count(*) FILTER (name = 'pageview') FROM rows WHERE {events} GROUP BY d ORDER BY d""",
        "pages": f"""SELECT path AS k, count(DISTINCT visitor) AS v,
            count(*) FILTER (name = 'pageview') FROM rows WHERE {events}
            GROUP BY k ORDER BY v DESC, k LIMIT 9""",
        **listed,
    }


def generate(path: Path, events: int) -> tuple[int, int]:
    """Fill the store's table; how many events and visitors there are."""
    connection = duckdb.connect(str(path))
    values = {
        "people": max(1, events // 9),
        "visits": round(events / EVENTS_PER_VISIT),
        "first": FIRST,
        "now": NOW,
        "site": SITE,
    }
    for statement in GENERATE.split(";\n"):
        named = {k: v for k, v in values.items() if f"${k}" in statement}
        connection.execute(statement, named)
    counted = connection.execute("SELECT count(*), count(DISTINCT visitor) FROM rows").fetchone()
    connection.execute("CHECKPOINT")
    connection.close()
    assert counted is not None
    return counted[0], counted[1]


def figures(name: str, result: Result) -> object:
    """A result in the shape of `by_hand`'s."""
    rows = [(*row.dimensions, *row.metrics) for row in result.rows]
    if name == "series":
        return [tuple(row[1:]) for row in rows]
    return rows


def expected(name: str, rows: list[tuple[object, ...]]) -> object:
    """What `figures` must be, from the rows of the hand-written SQL."""
    if name == "series":
        return [tuple(row[1:]) for row in rows]
    if name != "headline":
        return rows
    ((visitors, pageviews, visits, engages, duration, views),) = rows
    assert isinstance(visits, int)
    assert isinstance(engages, int)
    assert isinstance(duration, int)
    assert isinstance(views, int)

    def half_up(over: int, under: int) -> int:
        return (2 * over + under) // (2 * under)

    bounce_rate = half_up(100 * (visits - engages), visits)
    return [
        (
            visitors,
            visits,
            pageviews,
            half_up(100 * views, visits) / 100,
            bounce_rate,
            half_up(duration, 1000 * visits),
        )
    ]


def best(times: int, step: Callable[[], object]) -> float:
    """The shortest of several runs, in seconds."""
    measured = []
    for _ in range(times):
        began = time.perf_counter()
        step()
        measured.append(time.perf_counter() - began)
    return min(measured)


async def ask_all(store: DuckDBStore, asked: dict[str, Query]) -> dict[str, Result]:
    """One look at the dashboard, question after question."""
    return {name: await store.query(query) for name, query in asked.items()}


async def ask_timed(store: DuckDBStore, asked: dict[str, Query]) -> tuple[float, object]:
    """The shortest of five looks in seconds, and the figures.

    Each look allows for one row more, so that no answer is one that the store remembers.
    """
    shortest, found = float("inf"), {}
    for look in range(5):
        wider = {
            name: structs.replace(query, limit=query.limit + look) for name, query in asked.items()
        }
        began = time.perf_counter()
        results = await ask_all(store, wider)
        shortest = min(shortest, time.perf_counter() - began)
        found = found or {name: figures(name, result) for name, result in results.items()}
    return shortest, found


async def goals_timed(store: DuckDBStore, period: Period) -> tuple[float, float, object]:
    """The shortest times of a look without and with the panel of goals, in turns; the goals."""
    without = with_goals = float("inf")
    figures_of_goals: object = None
    for look in range(100, 107):
        asked = {
            name: structs.replace(query, limit=query.limit + look)
            for name, query in dashboard(period).items()
        }
        panel = structs.replace(panel_of_goals(period), limit=look)
        began = time.perf_counter()
        await ask_all(store, asked)
        asked_all = time.perf_counter()
        result = await store.query(panel)
        without = min(without, asked_all - began)
        with_goals = min(with_goals, time.perf_counter() - began)
        figures_of_goals = {row.dimensions[0]: row.metrics[:2] for row in result.rows}
    return without, with_goals, figures_of_goals


async def measure(folder: Path, events: int, memory: str) -> dict[str, object]:
    """Everything, as one flat result."""
    path = folder / "bench.duckdb"
    store_settings = {"memory_limit": memory, "threads": os.cpu_count() or 2}
    filters_of_goals = [named_filters.filter_of(goal) for goal in GOALS]
    goals: list[Filter] = []

    def open_store() -> DuckDBStore:
        return DuckDBStore(
            path,
            timezones=lambda: {SITE: ZONE},
            goals=lambda: {SITE: goals},
            rebuild_at_most_every_ms=0,
            **store_settings,  # type: ignore[arg-type]
        )

    async with open_store():
        pass  # makes the tables
    began = time.perf_counter()
    rows, visitors = await asyncio.to_thread(generate, path, events)
    print(f"{rows:,} events of {visitors:,} visitors made in {time.perf_counter() - began:.0f} s")

    spans = {
        "inner": (Period(FIRST + 3 * DAY, FIRST + 28 * DAY, ZONE), None),
        "to_now": (Period(LAST - 27 * DAY, LAST + DAY, ZONE), None),
        "filtered": (Period(FIRST + 3 * DAY, FIRST + 28 * DAY, ZONE), "C3"),
    }
    found: dict[str, tuple[float, object]] = {}
    of_goals: dict[str, tuple[float, float, float, object]] = {}
    async with open_store() as store:
        began = time.perf_counter()
        await store.build_cells(NOW)
        build_s = time.perf_counter() - began
        for name, (period, country) in spans.items():
            filters = (Compare(Op.IS, Dimension.COUNTRY, (country,)),) if country else ()
            found[name] = await ask_timed(store, dashboard(period, filters))
        from_rows = {
            name: await goals_timed(store, period)
            for name, (period, country) in spans.items()
            if not country
        }
        goals += filters_of_goals
        began = time.perf_counter()
        await store.build_cells(NOW)
        build_goals_s = time.perf_counter() - began
        for name, (alone, with_rows, by_rows) in from_rows.items():
            without, with_cells, by_cells = await goals_timed(store, spans[name][0])
            assert by_cells == by_rows, f"{name}: the goals differ\n{by_cells}\n{by_rows}"
            of_goals[name] = with_rows / alone - 1, without, with_cells, by_cells

    raw = duckdb.connect(str(path), config={"memory_limit": memory, "threads": os.cpu_count() or 2})
    cells = raw.execute(
        "SELECT (SELECT count(*) FROM cell_visitors), (SELECT count(*) FROM cell_sums)"
    ).fetchone()
    result: dict[str, object] = {
        "events": rows,
        "visitors": visitors,
        "cells": sum(cells or ()),
        "build_cells_s": round(build_s, 2),
        "build_goals_s": round(build_goals_s, 2),
        "file_mb": round(path.stat().st_size / 1e6),
    }
    for name, (period, country) in spans.items():
        asked = by_hand(period.start, period.end, country)
        wanted = {key: expected(key, raw.execute(sql).fetchall()) for key, sql in asked.items()}
        seconds, got = found[name]
        assert got == wanted, f"{name}: the figures differ\n{got}\n{wanted}"
        hand = best(3, lambda asked=asked: [raw.execute(sql).fetchall() for sql in asked.values()])
        result[f"{name}_s"] = round(seconds, 4)
        result[f"{name}_by_hand_s"] = round(hand, 4)
        result[f"{name}_ratio"] = round(hand / seconds, 1)
        if name in of_goals:
            with_rows, without, with_cells, by_cells = of_goals[name]
            (counted,) = raw.execute(goals_by_hand(period.start, period.end)).fetchall()
            pairs = zip(counted[::2], counted[1::2], strict=True)
            by_name = dict(zip((goal.name for goal in GOALS), pairs, strict=True))
            assert by_cells == by_name, f"{name}: the goals differ\n{by_cells}\n{by_name}"
            result[f"{name}_with_goals_s"] = round(with_cells, 4)
            result[f"{name}_goals_cost"] = round(with_cells / without - 1, 2)
            result[f"{name}_goals_cost_from_rows"] = round(with_rows, 2)
    raw.close()
    return result


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--memory", default="2GB", help="DuckDB's memory limit")
    parser.add_argument("--folder", type=Path, help="where the database is made (and left)")
    options = parser.parse_args()
    load_before = round(os.getloadavg()[0], 1)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-query-"))
    folder.mkdir(exist_ok=True)
    try:
        result = asyncio.run(measure(folder, options.events, options.memory))
    finally:
        if options.folder is None:
            shutil.rmtree(folder)
    result |= {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "duckdb": duckdb.__version__,
        "memory_limit": options.memory,
        # Seconds mean little on a busy machine; ratios are of one run, and hold.
        "load_before": load_before,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "measured": datetime.now(UTC).date().isoformat(),
    }
    for key, value in result.items():
        print(f"{key:22} {value}")
    kept = RESULTS / f"query-{options.events}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nAll figures are equal. Kept in {kept}.")


if __name__ == "__main__":
    main()
