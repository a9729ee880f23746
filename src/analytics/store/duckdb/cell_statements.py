"""The statements that build the cells of a dimension or a goal from rows, for a plan's days."""

from __future__ import annotations

from typing import NamedTuple

from analytics import localtime
from analytics.query import Dimension, Filter, Metric, NamedFilter, Period, Query
from analytics.store.sql import cells, compiler, conditions, query_plan, row_selects
from analytics.store.sql.active_days import GoalKey, active_days
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues, Statement
from analytics.store.sql.filter_shape import FilterShape
from analytics.store.sql.query_shape import QueryShape


class GoalPlan(NamedTuple):
    """The goal of which to build the days from *first* on; earlier cells of it are valid."""

    key: str
    filter: Filter
    first: int
    since_ms: int
    """See `site_state.GoalCells.since`."""
    known: bool
    """Whether it has cells already."""


class CellPlan(NamedTuple):
    """The days [first, end) of a site to build; the cells of the days before *first* are valid.

    None of the site itself if *first* is *end*: then only goals are behind.
    """

    site: str
    timezone: str
    first: int
    end: int
    since_ms: int
    """The time of the site's earliest stored event."""
    evicted: bool = False
    """Whether rows of earlier days are evicted; `last_seen` has their visitors."""
    goals: tuple[GoalPlan, ...] = ()
    """The goals that are behind."""
    every_goal: tuple[str, ...] = ()
    """The keys of all goals of the site; cells of others are deleted."""


class CellStatements(NamedTuple):
    """The statements of the rows of `cell_visitors` and of `cell_sums`."""

    visitors: Statement
    sums: Statement


def of_dimension(plan: CellPlan, dimension: str) -> CellStatements:
    """Return the statements of the cells of *dimension*, or of the whole site."""
    period = _period(plan, plan.first)
    bound = BoundValues(plan.site)
    active = active_days(period, dimension, bound, seen_since=plan.since_ms, evicted=plan.evicted)
    metrics = cells.metrics_of(dimension) - {Metric.VISITORS, Metric.PERCENTAGE}
    keys = (Dimension.DAY,) if dimension == cells.TOTAL else (dimension, Dimension.DAY)
    query = Query(site=plan.site, metrics=tuple(sorted(metrics)), period=period, dimensions=keys)
    return CellStatements(_visitors(dimension, plan.first, active, bound), _sums(dimension, query))


def of_goal(plan: CellPlan, goal: GoalPlan) -> CellStatements:
    """Return the statements of the cells of *goal*."""
    period = _period(plan, goal.first)
    bound = BoundValues(plan.site)
    reached = conditions.on_events((goal.filter,), FilterShape.of((goal.filter,)), bound)
    active = active_days(
        period, Dimension.GOAL, bound, seen_since=plan.since_ms, goal=GoalKey(goal.key, reached)
    )
    since = min(plan.since_ms, period.start)
    tables = (
        [row_selects.span(bound(since), bound(period.end))]
        if cells.follows_visits(goal.filter)
        else []
    )
    query = Query(
        site=plan.site,
        metrics=(Metric.PAGEVIEWS, Metric.EVENTS),
        period=period,
        dimensions=(Dimension.GOAL, Dimension.DAY),
        goals=(NamedFilter(goal.key, goal.filter),),
    )
    visitors = _visitors(Dimension.GOAL, goal.first, active, bound, with_sql(tables))
    return CellStatements(visitors, _sums(Dimension.GOAL, query))


def _visitors(
    dimension: str, first: int, active: str, bound: BoundValues, tables: str = ""
) -> Statement:
    """Return the statement of visitors by value, day and gap, from their *active* days."""
    sql = f"""{tables}
        SELECT $site AS site, {bound(dimension)} AS dimension, value, CAST(day AS INTEGER) AS day,
            CAST(coalesce(gap, {cells.NEVER}) AS INTEGER) AS gap, count(*) AS visitors
        FROM (SELECT value, day, day - lag(day) OVER (PARTITION BY value, visitor ORDER BY day)
                AS gap
            FROM ({active}))
        WHERE day >= {bound(first)}
        GROUP BY ALL ORDER BY value, day"""
    return bound.statement(sql)


def _sums(dimension: str, query: Query) -> Statement:
    """Return the statement of the measures by value and day, those of *query*."""
    bound = BoundValues(query.site)
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


def _period(plan: CellPlan, first: int) -> Period:
    return Period(
        localtime.day_start(plan.timezone, first),
        localtime.day_start(plan.timezone, plan.end),
        plan.timezone,
    )
