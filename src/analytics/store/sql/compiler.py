"""A query as one SQL statement, every value bound.

The statement adds up selects that yield the query's keys and some measures (`measures.py`): over
rows by the time of the event, over rows by the time at which the visit began (`row_selects.py`),
over cells for whole days (`cell_selects.py`), and over imported sums (`imported_selects.py`). The
outermost select computes the metrics of the sums (`assembly.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from analytics.query import Metric
from analytics.store.sql import cell_selects, conditions, imported_selects, keys, row_selects
from analytics.store.sql.assembly import CompiledQuery, assemble, union, with_sql
from analytics.store.sql.bound_values import BoundValues, Statement
from analytics.store.sql.metric_sql import partial_sql
from analytics.store.sql.query_plan import QueryPlan
from analytics.store.sql.query_shape import QueryShape
from analytics.store.sql.row_selects import RowSelects


class PartialStatement(NamedTuple):
    """The statement of the measures by key, and that of the visitors of all keys together."""

    sums: Statement
    everyone: Statement | None


def compile_query(plan: QueryPlan) -> CompiledQuery:
    """Return the statements that answer a query from the cells and rows of its *plan*."""
    bound = BoundValues(plan.shape.query.site)
    matching = conditions.on_rows(plan.shape.query, plan.shape.filters, bound)
    columns = keys.of(plan, bound)
    selects: list[str] = []
    everyone: list[str] = []
    tables: list[str] = []
    if plan.clean is not None:
        cells = cell_selects.of(plan, plan.clean, columns, bound)
        selects += cells.needed
        everyone += cells.everyone
    if plan.needs_rows:
        rows = row_selects.of(plan, columns, matching, bound)
        selects += rows.needed
        everyone += rows.everyone
        tables += rows.tables
    shape = plan.shape
    if plan.imported is not None:
        shape = imported_selects.measured(shape)
        sums = imported_selects.of(shape, plan.imported, bound)
        selects += sums.needed
        everyone += sums.everyone
    return assemble(shape, selects, everyone, tables, bound)


def _rows(plan: QueryPlan, bound: BoundValues) -> RowSelects:
    matching = conditions.on_rows(plan.shape.query, plan.shape.filters, bound)
    return row_selects.of(plan, keys.of(plan, bound), matching, bound)


def measured_rows(plan: QueryPlan, bound: BoundValues) -> tuple[str, str]:
    """Return the `WITH` clause and the `FROM` item of rows with the keys and measures of a query.

    They are not yet added up: a key may come several times, with other measures each time.
    """
    rows = _rows(plan, bound)
    return with_sql(rows.tables), f"({union(rows.needed)})"


def compile_partial(plan: QueryPlan) -> PartialStatement:
    """Return the statements whose answers, for some of the visitors each, add up to the whole.

    `sums` yields `site`, the keys `k0`…, `present` and the measures; `everyone` one column,
    `visitors`.
    """
    shape = plan.shape
    bound = BoundValues(shape.query.site)
    rows = _rows(plan, bound)
    shown = ["$site AS site", *shape.keys, "CAST(sum(present) AS BIGINT) AS present"]
    shown += [partial_sql(m) for m in sorted(shape.measures)]
    grouped = f" GROUP BY {', '.join(shape.keys)}" if shape.keys else ""
    prefix = with_sql(rows.tables)
    sums = f"{prefix}SELECT {', '.join(shown)} FROM ({union(rows.needed)}){grouped}"
    everyone = [bound.statement(f"{prefix}{select}") for select in rows.everyone]
    return PartialStatement(bound.statement(sums), everyone[0] if everyone else None)


def compile_merged(shape: QueryShape, files: str, everyone: int) -> CompiledQuery:
    """Return the statements that answer a query from the answers to its partial statements.

    *files* is a glob of Parquet files, each an answer to `PartialStatement.sums`; *everyone* is
    the sum of the answers to `PartialStatement.everyone`.
    """
    bound = BoundValues(shape.query.site)
    selects = [f"SELECT * EXCLUDE site FROM read_parquet({bound(files)}) WHERE site = $site"]
    total = []
    if Metric.PERCENTAGE in shape.query.metrics:
        total.append(f"SELECT {bound(everyone)} AS visitors")
    return assemble(shape, selects, total, (), bound)


def compile_matching(plan: QueryPlan) -> Statement:
    """Return the statement of the rows that a query's filters match, pings too.

    It yields `session` and `event_id`.
    """
    bound = BoundValues(plan.shape.query.site)
    rows = _rows(plan, bound)
    return bound.statement(f"{with_sql(rows.tables)}{rows.matching}")
