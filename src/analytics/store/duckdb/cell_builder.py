"""Builds cells from rows in files beside the writing thread, which then swaps them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from analytics import localtime
from analytics.query import Dimension, Metric, Period, Query
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import hot_window, site_state
from analytics.store.sql import cells, compiler, query_plan
from analytics.store.sql.active_days import active_days
from analytics.store.sql.bound_values import BoundValues, Statement
from analytics.store.sql.query_shape import QueryShape

SETTLES_AFTER_MS: Final = 35 * 60_000
"""How long after midnight a day may be built: most visits across midnight have ended by then."""
_RESTS_FOR: Final = 20
_UNTOUCHED: Final = 1 << 62


class CellPlan(NamedTuple):
    """The days [first, end) of a site to build; the cells of the days before *first* are valid."""

    site: str
    timezone: str
    first: int
    end: int
    since_ms: int
    """The time of the site's earliest stored event."""
    evicted: bool = False
    """Whether rows of earlier days are evicted; `last_seen` has their visitors."""


class BuiltCells(NamedTuple):
    """The cells built for a plan, in Parquet files that the writer loads."""

    plan: CellPlan
    visitors: Sequence[Path]
    sums: Sequence[Path]

    def discard(self) -> None:
        """Delete the files."""
        for path in (*self.visitors, *self.sums):
            path.unlink(missing_ok=True)


class CellBuilder:
    """Plans builds and swaps in their results; used by the writing thread only.

    A site is built again no sooner than *at_most_every_ms* after the last build, and no sooner than
    twenty times as long as that took, so that builds take at most a twentieth of a processor.
    """

    def __init__(self, *, at_most_every_ms: int) -> None:
        self._at_most_every_ms = at_most_every_ms
        self._rests_until: dict[str, int] = {}
        self._touched: dict[str, int] = {}

    def note(self, earliest: Mapping[str, int]) -> None:
        """Record that a transaction changed figures: maps a site to the earliest time changed."""
        for site, moment in earliest.items():
            if site in self._touched:
                self._touched[site] = min(moment, self._touched[site])

    def plan(self, connection: Connection, site: str, timezone: str, now: int) -> CellPlan | None:
        """Return what to build for *site*, or None; from now on `note` records its changes."""
        if now < self._rests_until.get(site, now):
            return None
        end = localtime.day_of(timezone, now - SETTLES_AFTER_MS)
        state = site_state.read(connection, site)
        until = state.cells.until if state.cells else None
        if state.cells and state.cells.edition != localtime.edition(timezone):
            until = None
        if until is not None and localtime.day_of(timezone, until) >= end:
            return None
        ((earliest,),) = connection.rows(
            "SELECT min(least(ts, session_start)) FROM rows WHERE site = ?", [site]
        )
        if earliest is None:
            return None
        first = localtime.day_of(timezone, earliest if until is None else until)
        if first >= end:
            return None
        window = state.window
        if window is not None and not hot_window.can_build(window, timezone, first):
            return None  # the Spark job, which has all rows, answers about those days
        self._touched[site] = _UNTOUCHED
        self._rests_until[site] = now + self._at_most_every_ms
        return CellPlan(site, timezone, first, end, earliest, evicted=window is not None)

    def swap(self, connection: Connection, built: BuiltCells) -> None:
        """Replace the cells by *built*, up to the first change made since the plan."""
        plan = built.plan
        edition = localtime.edition(plan.timezone)
        until = min(localtime.day_start(plan.timezone, plan.end), self._touched.pop(plan.site))
        end = localtime.day_of(plan.timezone, until)
        with transaction(connection):
            ((known,),) = connection.rows(
                "SELECT count(*) FROM cell_state WHERE site = ? AND timezone = ?",
                [plan.site, edition],
            )
            # Of another time zone, or of a table with other rules, no day is the same.
            first = plan.first if known else -_UNTOUCHED
            for table, paths in (("cell_visitors", built.visitors), ("cell_sums", built.sums)):
                connection.run(
                    f"DELETE FROM {table} WHERE site = ? AND day >= ?", [plan.site, first]
                )
                connection.run(
                    f"INSERT INTO {table} SELECT * FROM read_parquet($files) WHERE day < $end",
                    {"files": [str(path) for path in paths], "end": end},
                )
            connection.run(
                "INSERT INTO cell_state VALUES ($site, $timezone, $until) ON CONFLICT DO UPDATE"
                " SET timezone = excluded.timezone, until = excluded.until",
                {"site": plan.site, "timezone": edition, "until": until},
            )

    def finish(self, site: str, now: int, took_ms: int) -> None:
        """End a build, successful or not: *site* is not planned again for a while from *now* on."""
        self._touched.pop(site, None)
        rest = max(self._at_most_every_ms, _RESTS_FOR * took_ms)
        self._rests_until[site] = now + (rest if self._at_most_every_ms else 0)


def build(connection: Connection, plan: CellPlan, folder: Path) -> BuiltCells:
    """Build the cells of *plan* from rows into files in *folder*, one dimension at a time."""
    named = (cells.TOTAL, *cells.DIMENSIONS)
    run = uuid4().hex
    built = BuiltCells(
        plan,
        [folder / f"{run}-{i}-visitors.parquet" for i in range(len(named))],
        [folder / f"{run}-{i}-sums.parquet" for i in range(len(named))],
    )
    try:
        with transaction(connection):
            for dimension, visitors, sums in zip(named, built.visitors, built.sums, strict=True):
                _write(connection, _visitors(plan, dimension), visitors)
                _write(connection, _sums(plan, dimension), sums)
    except BaseException:
        built.discard()
        raise
    return built


def _write(connection: Connection, statement: Statement, path: Path) -> None:
    target = str(path).replace("'", "''")
    connection.run(f"COPY ({statement.sql}) TO '{target}' (FORMAT parquet)", statement.values)


def _visitors(plan: CellPlan, dimension: str) -> Statement:
    """Return the statement of the rows of `cell_visitors`: visitors by value, day and gap."""
    bound = BoundValues(plan.site)
    active = active_days(
        _period(plan), dimension, bound, seen_since=plan.since_ms, evicted=plan.evicted
    )
    sql = f"""
        SELECT $site AS site, {bound(dimension)} AS dimension, value, CAST(day AS INTEGER) AS day,
            CAST(coalesce(gap, {cells.NEVER}) AS INTEGER) AS gap, count(*) AS visitors
        FROM (SELECT value, day, day - lag(day) OVER (PARTITION BY value, visitor ORDER BY day)
                AS gap
            FROM ({active}))
        WHERE day >= {bound(plan.first)}
        GROUP BY ALL ORDER BY value, day"""
    return bound.statement(sql)


def _sums(plan: CellPlan, dimension: str) -> Statement:
    """Return the statement of the rows of `cell_sums`: the measures by value and day."""
    bound = BoundValues(plan.site)
    metrics = cells.metrics_of(dimension) - {Metric.VISITORS, Metric.PERCENTAGE}
    keys = (Dimension.DAY,) if dimension == cells.TOTAL else (dimension, Dimension.DAY)
    query = Query(
        site=plan.site, metrics=tuple(sorted(metrics)), period=_period(plan), dimensions=keys
    )
    shape = QueryShape.of(query)
    tables, rows = compiler.measured_rows(query_plan.from_rows(shape), bound)
    sums = ", ".join(
        f"CAST({f'coalesce(sum({m}), 0)' if m in shape.measures else '0'} AS BIGINT) AS {m}"
        for m in cells.SUMS
    )
    value, day = ("''", "k0") if dimension == cells.TOTAL else ("k0", "k1")
    sql = f"""{tables}
        SELECT $site AS site, {bound(dimension)} AS dimension, {value} AS value,
            CAST({day} AS INTEGER) AS day, {sums}
        FROM {rows}
        GROUP BY ALL ORDER BY value, day"""
    return bound.statement(sql)


def _period(plan: CellPlan) -> Period:
    return Period(
        localtime.day_start(plan.timezone, plan.first),
        localtime.day_start(plan.timezone, plan.end),
        plan.timezone,
    )
