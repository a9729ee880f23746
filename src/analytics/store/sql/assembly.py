"""The outermost select of a query: it adds up what the selects yield and computes the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics import dimension_facts
from analytics.query import TIME_DIMENSIONS, Metric, Order, Query
from analytics.store.sql import measures, place_columns
from analytics.store.sql.bound_values import BoundValues, Statement
from analytics.store.sql.metric_sql import metric_sql, sum_sql
from analytics.store.sql.query_shape import QueryShape


class CompiledQuery(NamedTuple):
    """The statement of the rows of an answer, and the one that only counts them."""

    answer: Statement
    counting: Statement


def assemble(
    shape: QueryShape,
    selects: Sequence[str],
    everyone: Sequence[str],
    tables: Sequence[str],
    bound: BoundValues,
) -> CompiledQuery:
    """Return the statements that add up *selects* and compute the metrics of the sums.

    Each select yields the keys, `present` and some measures; each of *everyone* yields `visitors`
    of all keys together; *tables* are the common table expressions to which they refer. The answer
    has the keys, the metrics by their names and, with revenue, `currency_first` and
    `currency_last`.
    """
    query, keys = shape.query, shape.keys
    summed = ", ".join([*keys, *(sum_sql(m) for m in sorted(shape.measures - {"base_visitors"}))])
    grouped = f" GROUP BY {', '.join(keys)} HAVING sum(present) > 0" if keys else ""
    tables, added, source = [*tables], f"({union(selects)})", "summed"
    if "base_visitors" in shape.measures:
        times = [k for d, k in zip(query.dimensions, keys, strict=True) if d in TIME_DIMENSIONS]
        tables += [f"added AS MATERIALIZED {added}", _base(times)]
        added = "added"
        source = f"summed LEFT JOIN base USING ({', '.join(times)})" if times else "summed, base"
    tables.append(f"summed AS (SELECT {summed} FROM {added}{grouped})")
    if Metric.PERCENTAGE in query.metrics:
        tables.append(f"total AS (SELECT sum(visitors) AS everyone FROM ({union(everyone)}))")
        source = f"{source}, total"
    shown = [*(_label(d, k) for d, k in zip(query.dimensions, keys, strict=True))]
    shown += [f"{metric_sql(m, shape)} AS {m.value}" for m in query.metrics]
    if measures.REVENUE_METRICS & set(query.metrics):
        shown += ["currency_first", "currency_last"]
    prefix = with_sql(tables)
    answer = f"{prefix}SELECT {', '.join(shown)} FROM {source}{_order_sql(query, keys, bound)}"
    answer += f" LIMIT {bound(query.limit)} OFFSET {bound(query.offset)}"
    counting = f"{prefix}SELECT count(*) FROM summed"
    return CompiledQuery(bound.statement(answer), bound.statement(counting))


def _base(times: Sequence[str]) -> str:
    """Return `base`: `base_visitors` by the keys *times* alone, from the sums of all selects."""
    shown = ", ".join([*times, "coalesce(sum(base_visitors), 0) AS base_visitors"])
    grouped = f" GROUP BY {', '.join(times)}" if times else ""
    return f"base AS (SELECT {shown} FROM added WHERE base_visitors IS NOT NULL{grouped})"


def union(selects: Sequence[str]) -> str:
    """Return the select that yields the rows of all *selects*, columns matched by name."""
    return " UNION ALL BY NAME ".join(f"({select})" for select in selects)


def with_sql(tables: Sequence[str]) -> str:
    """Return the clause that puts *tables* (`name AS (…)`) before a select; empty without any."""
    return f"WITH {', '.join(tables)} " if tables else ""


def _label(dimension: str, key: str) -> str:
    if dimension in TIME_DIMENSIONS:
        return f"{key} AS {key}"
    name = place_columns.name(dimension, key)
    return (
        f"CASE WHEN {key} = '' THEN '{dimension_facts.blank(dimension)}' ELSE {name} END AS {key}"
    )


def _order_sql(query: Query, keys: Sequence[str], bound: BoundValues) -> str:
    """Return the ORDER BY clause: a total order, since ties are broken by the keys.

    The default is time ascending, else the first metric descending.
    """
    last = [f"visitors < {bound(query.fewest_visitors)}"] if query.fewest_visitors else []
    orders = query.order_by
    if not orders:
        timed = [d for d in query.dimensions if d in TIME_DIMENSIONS]
        orders = (*(Order(d, descending=False) for d in timed), Order(query.metrics[0].value))
    names = dict(zip(query.dimensions, keys, strict=True))
    terms = [
        f"{names.get(o.key, o.key)} {'DESC' if o.descending else 'ASC'} NULLS LAST" for o in orders
    ]
    return " ORDER BY " + ", ".join([*last, *terms, *(f"{key} ASC" for key in keys)])
