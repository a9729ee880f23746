"""Selects over cells for the whole days of a query (`cells.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics.query import TIME_DIMENSIONS, Dimension, Metric
from analytics.store.sql import cells
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import QueryKeys, named
from analytics.store.sql.query_plan import CleanDays, QueryPlan


class CellSelects(NamedTuple):
    """The selects of a query over the cells of its clean days."""

    needed: Sequence[str]
    """Selects that yield the keys, and `present` and sums, or `visitors`."""
    everyone: Sequence[str]
    """Selects of `visitors` of all keys together, if a metric needs them."""


def of(plan: QueryPlan, clean: CleanDays, keys: QueryKeys, bound: BoundValues) -> CellSelects:
    """Return the selects of the query of *plan* over the cells of its *clean* days."""
    shape = plan.shape
    dimensions = shape.query.dimensions
    shown = "".join(f"{column}, " for column in named(keys.cell))
    days = f"day >= {bound(clean.first)} AND day < {bound(clean.end)}"
    whole_site = f"site = $site AND dimension = '{cells.TOTAL}' AND {days}"
    where = whole_site
    for dimension in dimensions:
        if dimension not in TIME_DIMENSIONS:
            where = f"site = $site AND dimension = {bound(dimension)} AND {days}"
    joined = _goals(plan, bound) if Dimension.GOAL in dimensions else ""
    needed = [_sums(plan, shown, joined, where)]
    if "visitors" in shape.measures:
        first = _first_days(plan, clean, keys, bound)
        needed.append(_visitors("visitors", shown, joined, where, first))
    if "base_visitors" in shape.measures:
        needed.append(_visitors("base_visitors", "", "", whole_site, bound(clean.first)))
    everyone = []
    if Metric.PERCENTAGE in shape.query.metrics:
        everyone.append(_visitors("visitors", "", "", whole_site, bound(clean.first)))
    return CellSelects(needed, everyone)


def _goals(plan: QueryPlan, bound: BoundValues) -> str:
    """Return the join that gives each cell of a goal its name, and several if it has several."""
    query = plan.shape.query
    values = ", ".join(map(bound, cells.goal_keys(query)))
    names = ", ".join(bound(goal.name) for goal in query.goals)
    return f" JOIN (SELECT unnest([{values}]) AS value, unnest([{names}]) AS goal) USING (value)"


def _sums(plan: QueryPlan, shown: str, joined: str, where: str) -> str:
    shape = plan.shape
    sums = "".join(f"sum({m}) AS {m}, " for m in cells.SUMS if m in shape.measures)
    evidence = ["events"] * shape.counts_events + ["begun"] * shape.counts_visits
    return (
        f"SELECT {shown}{sums} CAST(sum({' + '.join(evidence)}) > 0 AS INTEGER) AS present"
        f" FROM cell_sums{joined} WHERE {where} GROUP BY ALL"
    )


def _visitors(measure: str, shown: str, joined: str, where: str, first: str) -> str:
    """Return a select of the keys and visitors, each once, on the first active day since *first*.

    A gap leads from a visitor's active day back to the one before it.
    """
    return (
        f"SELECT {shown}sum(visitors) AS {measure} FROM cell_visitors{joined}"
        f" WHERE {where} AND gap > day - {first} GROUP BY ALL"
    )


def _first_days(plan: QueryPlan, clean: CleanDays, keys: QueryKeys, bound: BoundValues) -> str:
    """Return the SQL of the first day of the bucket of time in which a day lies, if any."""
    first = bound(clean.first)
    for dimension, key in zip(plan.shape.query.dimensions, keys.cell, strict=True):
        if dimension in TIME_DIMENSIONS:
            first = f"greatest({first}, {key})"
    return first
