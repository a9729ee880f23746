"""A funnel as SQL: how far each visit, or each visitor, got through its steps.

A chain is one event for each step, one after the other by time, those of the same time in the
order of the log. Of all chains the one counts that gets furthest, and of those the one that begins
first; each of its steps is the earliest event after the step before. Where steps must follow
strictly, it is the very next event or none. Each visit or visitor so counts at most once a step.

Most visits do not take the first step. So those that do are found first, by the one or two columns
that it compares, and nothing else is read of the others (`begun`, or `chain1` where a visit has one
chain at most). Each event carries the steps that it matches as the bits of one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics import bounds
from analytics.exploration import WAIT_BOUNDS_MS, FunnelQuery
from analytics.store.sql import event_scan
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.event_scan import EventScan
from analytics.store.sql.keys import place_sql
from analytics.units import DAY_MS
from analytics.visitor_id import COOKIELESS

KEYS: Final = ("step", "class")
"""The number of a step, and the class of the wait for it; step 0 is the wait for the last one
since the first."""
SUMS: Final = ("reached", "cookieless", "waited_ms")
_MASKS: Final = 1 << bounds.STEPS
"""More than the bits of all steps together."""


def additive(exploration: FunnelQuery, bound: BoundValues) -> str:
    """Return a select of `KEYS` and `SUMS`, which add up over disjoint sets of visitors."""
    scan = (
        event_scan.of_visits(exploration, bound)
        if exploration.within_days is None
        else event_scan.of_period(exploration, bound)
    )
    numbers = range(1, len(exploration.steps) + 1)
    unit = "r.visitor" if exploration.within_days else "r.session"
    cookieless = f"r.visitor >= {bound(COOKIELESS)}"
    window = None if exploration.within_days is None else bound(exploration.within_days * DAY_MS)
    if exploration.strict:
        chains = _strict(scan, unit, cookieless, numbers, window)
    elif window:
        chains = _within(scan, unit, cookieless, numbers, window)
    else:
        chains = _of_visits(scan, cookieless, numbers)
    tables = [*scan.tables, *chains]
    several = exploration.strict or window is not None
    if several:
        tables.append(f"best AS MATERIALIZED ({_best(numbers)})")
    classed = " UNION ALL ".join(_steps(numbers, several=several))
    return (
        f"{with_sql(tables)}SELECT step, class, count(*) AS reached,"
        " count_if(cookieless) AS cookieless, CAST(sum(waited) AS BIGINT) AS waited_ms"
        f" FROM ({classed}) GROUP BY step, class"
    )


def _of_visits(scan: EventScan, cookieless: str, numbers: Sequence[int]) -> list[str]:
    """Return a table for each step: the one chain of each visit that gets there.

    Within a visit, no chain gets further than the one that begins first.
    """
    tables = [
        (
            f"chain1 AS MATERIALIZED (SELECT r.session AS unit, min({place_sql('r')}) AS place,"
            f" min(r.ts) AS t1, bool_or({cookieless}) AS cookieless FROM {scan.rows}"
            f" WHERE {scan.where} AND {scan.steps[0]} GROUP BY r.session)"
        ),
        (
            f"marked AS MATERIALIZED (SELECT r.session AS unit, {place_sql('r')} AS place,"
            f" r.ts AS ts, {_mask(scan)} AS mask"
            f" FROM {scan.rows} JOIN chain1 b ON b.unit = r.session"
            f" WHERE {scan.where} AND r.ts >= b.t1 AND ({' OR '.join(scan.steps[1:])}))"
        ),
    ]
    for n in numbers[1:]:
        times = ", ".join(f"any_value(c.t{k}) AS t{k}" for k in numbers[: n - 1])
        tables.append(
            f"chain{n} AS MATERIALIZED (SELECT c.unit, any_value(c.cookieless) AS cookieless,"
            f" min(e.place) AS place, {times}, min(e.ts) AS t{n} FROM chain{n - 1} c"
            f" JOIN marked e ON e.unit = c.unit AND e.place > c.place"
            f" WHERE {_matches('e.mask', n)} GROUP BY c.unit)"
        )
    return tables


def _within(
    scan: EventScan, unit: str, cookieless: str, numbers: Sequence[int], window: str
) -> list[str]:
    """Return a table for each step: the chains that get there, of every first step."""
    tables = [
        _begun(scan, unit),
        (
            f"marked AS MATERIALIZED (SELECT {unit} AS unit, {place_sql('r')} AS place, r.ts AS ts,"
            f" {cookieless} AS cookieless, {_mask(scan)} AS mask"
            f" FROM {scan.rows} JOIN begun b ON b.unit = {unit}"
            f" WHERE {scan.where} AND r.ts >= b.since AND ({' OR '.join(scan.steps)}))"
        ),
        (
            "chain1 AS MATERIALIZED (SELECT unit, cookieless, place AS place1, place, ts AS t1"
            f" FROM marked WHERE {_matches('mask', 1)})"
        ),
    ]
    for n in numbers[1:]:
        times = ", ".join(f"c.t{k}" for k in numbers[: n - 1])
        tables.append(
            f"chain{n} AS MATERIALIZED (SELECT c.unit, c.cookieless, c.place1, e.place, {times},"
            f" e.ts AS t{n} FROM chain{n - 1} c ASOF JOIN (SELECT unit, place, ts FROM marked"
            f" WHERE {_matches('mask', n)}) e ON e.unit = c.unit AND e.place > c.place"
            f" WHERE e.ts <= c.t1 + {window})"
        )
    return tables


def _strict(
    scan: EventScan, unit: str, cookieless: str, numbers: Sequence[int], window: str | None
) -> list[str]:
    """Return a table for each step: the chains of every first step that nothing interrupts."""
    ahead = ", ".join(f"lead(packed, {n - 1}) OVER w AS p{n}" for n in numbers[1:])
    reached = []
    for n in numbers[1:]:
        fits = " AND ".join(_matches(f"p{k}", k) for k in numbers[1:n])
        fits += f" AND p{n} // {_MASKS} <= packed // {_MASKS} + {window}" if window else ""
        reached.append(f"CASE WHEN {fits} THEN p{n} // {_MASKS} END AS t{n}")
    return [
        _begun(scan, unit),
        (
            f"marked AS (SELECT {unit} AS unit, {place_sql('r')} AS place,"
            f" {cookieless} AS cookieless, r.ts * {_MASKS} + {_mask(scan)} AS packed"
            f" FROM {scan.rows} JOIN begun b ON b.unit = {unit}"
            f" WHERE {scan.where} AND r.ts >= b.since)"
        ),
        (
            f"following AS (SELECT unit, cookieless, place, packed, {ahead} FROM marked"
            " WINDOW w AS (PARTITION BY unit ORDER BY place))"
        ),
        (
            f"chain1 AS MATERIALIZED (SELECT unit, cookieless, place AS place1,"
            f" packed // {_MASKS} AS t1, {', '.join(reached)} FROM following"
            f" WHERE {_matches('packed', 1)})"
        ),
        *(f"chain{n} AS (SELECT * FROM chain1 WHERE t{n} IS NOT NULL)" for n in numbers[1:]),
    ]


def _begun(scan: EventScan, unit: str) -> str:
    """Return the table of the visits or visitors that take the first step, and since when."""
    return (
        f"begun AS MATERIALIZED (SELECT {unit} AS unit, min(r.ts) AS since FROM {scan.rows}"
        f" WHERE {scan.where} AND {scan.steps[0]} GROUP BY {unit})"
    )


def _mask(scan: EventScan) -> str:
    """Return the number whose bits say which steps the event `r` matches."""
    bits = (f"CASE WHEN {step} THEN {1 << i} ELSE 0 END" for i, step in enumerate(scan.steps))
    return f"({' + '.join(bits)})"


def _matches(mask: str, step: int) -> str:
    return f"{mask} & {1 << (step - 1)} > 0"


def _best(numbers: Sequence[int]) -> str:
    """Return a select of the chain that counts for each visit or visitor."""
    selects = []
    for n in numbers:
        times = ", ".join(f"arg_min(t{k}, place1) AS t{k}" for k in numbers[:n])
        last = n == numbers[-1]
        deeper = "" if last else f" WHERE unit NOT IN (SELECT unit FROM chain{n + 1})"
        selects.append(
            f"SELECT any_value(cookieless) AS cookieless, {times} FROM chain{n}{deeper}"
            " GROUP BY unit"
        )
    return " UNION ALL BY NAME ".join(selects)


def _steps(numbers: Sequence[int], *, several: bool) -> list[str]:
    """Return selects of a row for each step that a chain has, and for the last again.

    Of *several* chains, those of `best` count.
    """
    last = numbers[-1]
    waits = {n: f"t{n} - t{n - 1}" for n in numbers[1:]} | {0: f"t{last} - t1"}

    def source(step: int) -> str:
        return "best" if several else f"chain{step}"

    selects = [f"SELECT 1 AS step, 0 AS class, cookieless, 0 AS waited FROM {source(1)}"]
    for step, wait in waits.items():
        selects.append(
            f"SELECT {step} AS step, {_class(wait)} AS class, cookieless, {wait} AS waited"
            f" FROM {source(step or last)} WHERE t{step or last} IS NOT NULL"
        )
    return selects


def _class(wait: str) -> str:
    cases = " ".join(f"WHEN {wait} < {most} THEN {i}" for i, most in enumerate(WAIT_BOUNDS_MS))
    return f"CASE {cases} ELSE {len(WAIT_BOUNDS_MS)} END"
