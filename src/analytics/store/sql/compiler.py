"""A query as one SQL statement, every value bound.

The statement adds up selects that yield the query's keys and some measures (`measures.py`): over
rows by the time of the event, over rows by the time at which the visit began (`row_selects.py`),
and over cells for whole days (`cells.py`). The outermost select computes the metrics of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics import dimension_facts
from analytics.query import TIME_DIMENSIONS, Metric, Order, Query
from analytics.store.sql import measures
from analytics.store.sql.conditions import BoundValues
from analytics.store.sql.query_shape import QueryShape
from analytics.store.sql.row_selects import RowSelects


class Statement(NamedTuple):
    """SQL and the values bound in it."""

    sql: str
    values: dict[str, object]


class PartialStatement(NamedTuple):
    """The statement of the measures by key, and that of the visitors of all keys together."""

    sums: Statement
    everyone: Statement | None


class CompiledQuery(NamedTuple):
    """The statement of the rows of an answer, and the one that only counts them."""

    answer: Statement
    counting: Statement


def compile_rows(shape: QueryShape) -> CompiledQuery:
    """Return the statements that answer a query from rows alone."""
    bound = BoundValues()
    selects = RowSelects(shape, bound)
    return assemble(shape, selects.needed(), selects.everyone(), selects.tables(), bound)


def compile_partial(shape: QueryShape) -> PartialStatement:
    """Return the statements whose answers, for some of the visitors each, add up to the whole.

    `sums` yields `site`, the keys `k0`…, `present` and the measures; `everyone` one column,
    `visitors`.
    """
    bound = BoundValues()
    selects = RowSelects(shape, bound)
    chosen = ["$site AS site", *shape.keys, "CAST(sum(present) AS BIGINT) AS present"]
    chosen += [measures.partial_sql(m) for m in sorted(shape.measures)]
    grouped = f" GROUP BY {', '.join(shape.keys)}" if shape.keys else ""
    prefix = with_sql(selects.tables())
    sql = f"{prefix}SELECT {', '.join(chosen)} FROM ({union(selects.needed())}){grouped}"
    return PartialStatement(_statement(sql, bound, shape.query.site), _everyone(shape))


def _everyone(shape: QueryShape) -> Statement | None:
    bound = BoundValues()
    selects = RowSelects(shape, bound)
    everyone = selects.everyone()
    if not everyone:
        return None
    return _statement(f"{with_sql(selects.tables())}{everyone[0]}", bound, shape.query.site)


def _statement(sql: str, bound: BoundValues, site: str) -> Statement:
    return Statement(sql, {**bound.values, "site": site})


def compile_merged(shape: QueryShape, files: str, everyone: int) -> CompiledQuery:
    """Return the statements that answer a query from the answers to its partial statements.

    *files* is a glob of Parquet files, each an answer to `PartialStatement.sums`; *everyone* is
    the sum of the answers to `PartialStatement.everyone`.
    """
    bound = BoundValues()
    selects = [f"SELECT * EXCLUDE site FROM read_parquet({bound(files)}) WHERE site = $site"]
    total = []
    if Metric.PERCENTAGE in shape.query.metrics:
        total.append(f"SELECT {bound(everyone)} AS visitors")
    return assemble(shape, selects, total, (), bound)


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
    has the keys, the metrics by their names and, with revenue, `currency_first`.
    """
    query, keys = shape.query, shape.keys
    summed = ", ".join([*keys, *(measures.sum_sql(m) for m in sorted(shape.measures))])
    grouped = f" GROUP BY {', '.join(keys)} HAVING sum(present) > 0" if keys else ""
    tables = [*tables, f"summed AS (SELECT {summed} FROM ({union(selects)}){grouped})"]
    source = "summed"
    if Metric.PERCENTAGE in query.metrics:
        tables.append(f"total AS (SELECT sum(visitors) AS everyone FROM ({union(everyone)}))")
        source = "summed, total"
    shown = [*(_label(d, k) for d, k in zip(query.dimensions, keys, strict=True))]
    shown += [
        f"{measures.metric_sql(m, by_page=shape.by_page)} AS {m.value}" for m in query.metrics
    ]
    if measures.REVENUE_METRICS & set(query.metrics):
        shown.append("currency_first")
    prefix = with_sql(tables)
    counting = _statement(f"{prefix}SELECT count(*) FROM summed", bound, query.site)
    answer = f"{prefix}SELECT {', '.join(shown)} FROM {source}{_order_sql(query, keys, bound)}"
    answer += f" LIMIT {bound(query.limit)} OFFSET {bound(query.offset)}"
    return CompiledQuery(_statement(answer, bound, query.site), counting)


def union(selects: Sequence[str]) -> str:
    """Return the select that yields the rows of all *selects*, columns matched by name."""
    return " UNION ALL BY NAME ".join(f"({select})" for select in selects)


def with_sql(tables: Sequence[str]) -> str:
    """Return the clause that puts *tables* (`name AS (…)`) before a select; empty without any."""
    return f"WITH {', '.join(tables)} " if tables else ""


def _label(dimension: str, key: str) -> str:
    if dimension in TIME_DIMENSIONS:
        return f"{key} AS {key}"
    return f"CASE WHEN {key} = '' THEN '{dimension_facts.blank(dimension)}' ELSE {key} END AS {key}"


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
