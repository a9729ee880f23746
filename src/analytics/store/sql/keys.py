"""The dimensions of a query as SQL: over the rows of events and of visits, and over cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from analytics import dimension_facts
from analytics.localtime import OffsetChange
from analytics.query import MACHINE_DIMENSIONS, TIME_DIMENSIONS, Dimension
from analytics.store.sql import columns, machine_columns, place_columns
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.query_plan import QueryPlan
from analytics.units import DAY_MS, HOUR_MS


class QueryKeys(NamedTuple):
    """The SQL of a query's dimensions, in their order, for each table and each meaning."""

    event: Sequence[str]
    """Of the row `r`, by when the event happened."""
    visit: Sequence[str]
    """Of the row `r`, by when its visit began."""
    entry: Sequence[str]
    """The same, with the visit's entry page as its page."""
    exit: Sequence[str]
    """The same, with the visit's last page, joined as `rx`, as its page."""
    viewed: Sequence[str]
    """Of the row `r`, by when the event happened, with its own page as the last one, too."""
    base: Sequence[str | None]
    """Of the row `r`, by when the event happened; None unless it is a time."""
    evicted: Sequence[str]
    """Of a row of `last_seen`: its `day`, or its value `k0`."""
    cell: Sequence[str]
    """Of a row of a table of cells: its `day`, its `value`, or the name of the `goal` it is of."""


def of(plan: QueryPlan, bound: BoundValues) -> QueryKeys:
    """Return the keys of the query of *plan*."""
    dimensions = plan.shape.query.dimensions
    days = {
        each: bucket_sql(each, "day", plan.first_day)
        for each in dimensions
        if each in TIME_DIMENSIONS
    }
    values = {
        each: place_columns.key(each, column_sql(each, "r", bound))
        for each in dimensions
        if each not in days
    }
    pages = {
        each: columns.PAGE_COLUMNS[each] for each in dimensions if each in columns.PAGE_COLUMNS
    }
    entry = {each: f"r.entry_{column}" for each, column in pages.items()}
    exits = {each: f"rx.{column}" for each, column in pages.items()}
    viewed = {
        each: f"r.{columns.EXIT_COLUMNS[each]}"
        for each in dimensions
        if each in columns.EXIT_COLUMNS
    }
    at = {each: _time_sql(each, "r.ts", plan) for each in days}
    began = {each: _time_sql(each, "r.session_start", plan) for each in days}
    return QueryKeys(
        event=[(values | at)[each] for each in dimensions],
        visit=[(values | began)[each] for each in dimensions],
        entry=[(values | entry | began)[each] for each in dimensions],
        exit=[(values | exits | began)[each] for each in dimensions],
        viewed=[(values | viewed | at)[each] for each in dimensions],
        base=[at.get(each) for each in dimensions],
        evicted=[days.get(each, "k0") for each in dimensions],
        cell=[days.get(each, _cell_value(each)) for each in dimensions],
    )


def _cell_value(dimension: str) -> str:
    return "goal" if dimension == Dimension.GOAL else "value"


def named(keys: Sequence[str | None]) -> list[str]:
    """Return *keys* as columns `k0`, `k1`… of a select, without those that are None."""
    return [f"{sql} AS k{i}" for i, sql in enumerate(keys) if sql is not None]


def column_sql(dimension: str, row: str, bound: BoundValues) -> str:
    """Return the SQL of *dimension* for the event *row*, or for the visit that contains it."""
    if dimension in MACHINE_DIMENSIONS:
        return machine_columns.sql(dimension, row)
    if dimension == Dimension.GOAL:
        return f"{row}g.name"
    if dimension in columns.VISIT_COLUMNS:
        return f"{row}.{columns.VISIT_COLUMNS[dimension]}"
    if dimension in columns.EXIT_COLUMNS:
        return f"coalesce({row}x.{columns.EXIT_COLUMNS[dimension]}, '')"
    if (key := dimension_facts.property_key(dimension)) is not None:
        return f"coalesce({row}.props[{bound(key)}], '')"
    return f"{row}.{columns.EVENT_COLUMNS[dimension]}"


def place_sql(row: str) -> str:
    """Return the SQL of the place of the event *row* among those of its visitor, by time.

    Events of the same time come in the order of the log. It is one number, since the engine
    compares numbers far faster than pairs.
    """
    return f"(CAST({row}.ts AS HUGEINT) * {1 << 63} + {row}.log_offset)"


def _time_sql(dimension: str, column: str, plan: QueryPlan) -> str:
    """Return the SQL of the bucket of local time in which a UTC *column* lies.

    A bucket is the number of an hour, or of its first day, since 1970 in local time.
    """
    local = local_ms_sql(column, plan.offsets)
    if dimension == Dimension.HOUR:
        return f"{local} // {HOUR_MS}"
    return bucket_sql(dimension, f"{local} // {DAY_MS}", plan.first_day)


def local_ms_sql(column: str, offsets: Sequence[OffsetChange]) -> str:
    """Return the SQL of a UTC *column* as local ms; it contains only integers.

    *offsets* are those of the time zone over the span of the column's values.
    """
    if len(offsets) == 1:
        return f"({column} + {offsets[0].offset_ms})"
    cases = " ".join(
        f"WHEN {column} < {later.since} THEN {earlier.offset_ms}"
        for earlier, later in pairwise(offsets)
    )
    return f"({column} + CASE {cases} ELSE {offsets[-1].offset_ms} END)"


def bucket_sql(dimension: str, day: str, first_day: int) -> str:
    """Return the SQL of the first day of the bucket in which *day* (SQL) lies.

    Days are counted since 1970-01-01. The first week begins with *first_day*, the period's first.
    """
    match dimension:
        case Dimension.WEEK:
            # Day 0 was a Thursday.
            return f"greatest({day} - ({day} + 3) % 7, {first_day})"
        case Dimension.MONTH:
            month = f"date_trunc('month', DATE '1970-01-01' + CAST({day} AS INTEGER))"
            return f"CAST(CAST({month} AS DATE) - DATE '1970-01-01' AS BIGINT)"
        case _:
            return day
