"""A funnel as SQL: how far each visit, or each visitor, got through its steps.

A chain is one event for each step, one after the other by time, those of the same time in the
order of the log. Of all chains the one counts that gets furthest, and of those the one that begins
first; each of its steps is the earliest event after the step before. Where steps must follow
strictly, it is the very next event or none. Each visit or visitor so counts at most once a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics.exploration import WAIT_BOUNDS_MS, FunnelQuery
from analytics.store.sql import event_scan
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import place_sql
from analytics.units import DAY_MS
from analytics.visitor_id import COOKIELESS

KEYS: Final = ("step", "class")
"""The number of a step, and the class of the wait for it; step 0 is the wait for the last one
since the first."""
SUMS: Final = ("reached", "cookieless", "waited_ms")


def additive(asked: FunnelQuery, bound: BoundValues) -> str:
    """Return a select of `KEYS` and `SUMS`, which add up over disjoint sets of visitors."""
    scan = (
        event_scan.of_visits(asked, bound)
        if asked.within_days is None
        else event_scan.of_period(asked, bound)
    )
    numbers = range(1, len(asked.steps) + 1)
    marks = ", ".join(f"{sql} AS s{n}" for n, sql in zip(numbers, scan.steps, strict=True))
    where = scan.where
    if not asked.strict:
        where += f" AND ({' OR '.join(scan.steps)})"
    unit = "r.visitor" if asked.within_days else "r.session"
    marked = (
        f"SELECT {unit} AS unit, {place_sql('r')} AS place, r.ts AS ts,"
        f" r.visitor >= {bound(COOKIELESS)} AS cookieless, {marks} FROM {scan.rows} WHERE {where}"
    )
    window = None if asked.within_days is None else bound(asked.within_days * DAY_MS)
    chains = _strict(numbers, window) if asked.strict else _loose(numbers, window)
    best = _best(numbers) if asked.strict or window else f"SELECT * FROM chain{numbers[-1]}"
    tables = [*scan.tables, f"marked AS MATERIALIZED ({marked})", *chains]
    tables.append(f"best AS MATERIALIZED ({best})")
    classed = " UNION ALL ".join(_steps(numbers))
    return (
        f"{with_sql(tables)}SELECT step, class, count(*) AS reached,"
        " count_if(cookieless) AS cookieless, CAST(sum(waited) AS BIGINT) AS waited_ms"
        f" FROM ({classed}) GROUP BY step, class"
    )


def _loose(numbers: Sequence[int], window: str | None) -> list[str]:
    """Return a table for each step: the chains from each first step from which one may begin."""
    begin = (
        "SELECT unit, bool_or(cookieless) AS cookieless, min(place) AS place1, min(ts) AS t1"
        " FROM marked WHERE s1 GROUP BY unit"
        if window is None  # within a visit, no chain gets further than one from the first
        else "SELECT unit, cookieless, place AS place1, ts AS t1 FROM marked WHERE s1"
    )
    tables = [f"chain1 AS ({begin})"]
    for n in numbers[1:]:
        reached = f"e.ts <= c.t1 + {window}" if window else "e.ts IS NOT NULL"
        tables.append(
            f"chain{n} AS (SELECT c.*, CASE WHEN {reached} THEN e.place END AS place{n},"
            f" CASE WHEN {reached} THEN e.ts END AS t{n} FROM chain{n - 1} c"
            f" ASOF LEFT JOIN (SELECT unit, place, ts FROM marked WHERE s{n}) e"
            f" ON e.unit = c.unit AND e.place > c.place{n - 1})"
        )
    return tables


def _strict(numbers: Sequence[int], window: str | None) -> list[str]:
    """Return the tables up to that of the chains from each first step, with what is behind it."""
    ahead = ", ".join(
        f"lead(s{n}, {n - 1}) OVER w AS f{n}, lead(ts, {n - 1}) OVER w AS g{n}" for n in numbers[1:]
    )
    following = (
        f"following AS (SELECT unit, cookieless, place AS place1, ts AS t1, s1, {ahead} FROM marked"
        " WHERE unit IN (SELECT unit FROM marked WHERE s1)"
        " WINDOW w AS (PARTITION BY unit ORDER BY place))"
    )
    reached = []
    for n in numbers[1:]:
        fits = " AND ".join(f"f{k}" for k in numbers[1:n])
        fits += f" AND g{n} <= t1 + {window}" if window else ""
        reached.append(f"CASE WHEN {fits} THEN g{n} END AS t{n}")
    chains = f"SELECT unit, cookieless, place1, t1, {', '.join(reached)} FROM following WHERE s1"
    return [following, f"chain{numbers[-1]} AS ({chains})"]


def _best(numbers: Sequence[int]) -> str:
    """Return a select of the chain that counts, of each visit or visitor."""
    depth = " + ".join(f"CAST(t{n} IS NOT NULL AS INTEGER)" for n in numbers)
    return (
        f"SELECT * FROM chain{numbers[-1]}"
        f" QUALIFY row_number() OVER (PARTITION BY unit ORDER BY {depth} DESC, place1) = 1"
    )


def _steps(numbers: Sequence[int]) -> list[str]:
    """Return selects of a row for each step that a chain of `best` has, and for the last again."""
    last = numbers[-1]
    waits = {n: f"t{n} - t{n - 1}" for n in numbers[1:]} | {0: f"t{last} - t1"}
    selects = ["SELECT 1 AS step, 0 AS class, cookieless, 0 AS waited FROM best"]
    for step, wait in waits.items():
        selects.append(
            f"SELECT {step} AS step, {_class(wait)} AS class, cookieless, {wait} AS waited"
            f" FROM best WHERE t{step or last} IS NOT NULL"
        )
    return selects


def _class(wait: str) -> str:
    cases = " ".join(f"WHEN {wait} < {most} THEN {i}" for i, most in enumerate(WAIT_BOUNDS_MS))
    return f"CASE {cases} ELSE {len(WAIT_BOUNDS_MS)} END"
