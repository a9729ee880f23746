"""A query as one SQL statement, every value bound.

The statement adds up *parts*: selects that yield the query's keys and some measures
(`measures.py`). Rows give a part by the time of the event, one by the time the visit began, and
so on; cells give the same measures for whole days. The last select makes metrics of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics.errors import Malformed
from analytics.query import TIME_DIMENSIONS, Dimension, Metric, Order, Query
from analytics.store.sql import columns, measures, query_cost, time_buckets
from analytics.store.sql.conditions import BoundValues, Conditions
from analytics.store.sql.row_selects import RowSelects


class Statement(NamedTuple):
    """SQL and the values bound in it."""

    sql: str
    values: dict[str, object]


class PartialStatement(NamedTuple):
    """The statement for the measures by key, and the one for the visitors of all keys together."""

    sums: Statement
    everyone: Statement | None


class CompiledQuery(NamedTuple):
    """The statement for the rows of an answer, and the one that only counts them."""

    answer: Statement
    counting: Statement


def check(query: Query) -> None:
    """Raise `Malformed` for a question that has no meaning, or is larger than one may be."""
    query_cost.check(query)
    if not query.metrics:
        raise Malformed("metrics", "name at least one metric")
    if len(set(query.dimensions)) < len(query.dimensions):
        raise Malformed("dimensions", "name each of them once")
    for dimension in query.dimensions:
        columns.check_dimension(dimension, "dimensions")
    if sum(dimension in TIME_DIMENSIONS for dimension in query.dimensions) > 1:
        raise Malformed("dimensions", "only one time dimension at once")
    known = {*query.metrics, *query.dimensions}
    for order in query.order_by:
        if order.key not in known:
            raise Malformed(
                "order_by", f"{order.key[:80]!r} is neither a metric nor a dimension here"
            )
    if query.fewest_visitors and Metric.VISITORS not in query.metrics:
        raise Malformed("metrics", "rows of few visitors cannot come last without visitors")
    time_buckets.check(query)
    _check_metrics(query)


def _check_metrics(query: Query) -> None:
    of_events = [
        dimension
        for dimension in query.dimensions
        if columns.is_event(dimension) and dimension not in columns.PAGE_COLUMNS
    ]
    by_page = Dimension.PAGE in query.dimensions
    filtered = Conditions(query.filters, BoundValues()).by_page
    for metric in query.metrics:
        if metric in measures.VISIT_METRICS and of_events:
            raise Malformed(
                "metrics", f"{metric} is of visits, and cannot be split by {of_events[0]}"
            )
        if metric is Metric.EXITS and not by_page:
            raise Malformed("metrics", "exits needs the dimension event:page")
        if metric in (Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH) and not (by_page or filtered):
            raise Malformed("metrics", f"{metric} needs a filter or the dimension event:page")


def compile_rows(query: Query) -> CompiledQuery:
    """The statements that answer *query* from rows alone."""
    bound = BoundValues()
    parts = RowSelects(query, bound)
    return assemble(query, parts.needed(), parts.everyone(), parts.tables(), bound)


def compile_partial(query: Query) -> PartialStatement:
    """The statements whose answers, for some of the visitors each, add up to the whole answer."""
    bound = BoundValues()
    parts = RowSelects(query, bound)
    keys = [f"k{i}" for i in range(len(query.dimensions))]
    chosen = ["$site AS site", *keys, "CAST(sum(present) AS BIGINT) AS present"]
    chosen += [measures.partial_sql(m) for m in sorted(measures_of(query))]
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    sql = f"{_with(parts)}SELECT {', '.join(chosen)} FROM ({union(parts.needed())}){grouped}"
    return PartialStatement(Statement(sql, {**bound.values, "site": query.site}), _everyone(query))


def _everyone(query: Query) -> Statement | None:
    bound = BoundValues()
    parts = RowSelects(query, bound)
    everyone = parts.everyone()
    if not everyone:
        return None
    return Statement(f"{_with(parts)}{everyone[0]}", {**bound.values, "site": query.site})


def _with(parts: RowSelects) -> str:
    tables = parts.tables()
    return f"WITH {', '.join(tables)} " if tables else ""


def compile_merged(query: Query, files: str, everyone: int) -> CompiledQuery:
    """The statements that answer *query* from the answers to `Partial.sums`, in Parquet *files*.

    *everyone*: what the answers to `Partial.everyone` add up to.
    """
    bound = BoundValues()
    parts = [f"SELECT * EXCLUDE site FROM read_parquet({bound(files)}) WHERE site = $site"]
    total = []
    if Metric.PERCENTAGE in query.metrics:
        total.append(f"SELECT {bound(everyone)} AS visitors")
    return assemble(query, parts, total, (), bound)


def assemble(
    query: Query,
    parts: Sequence[str],
    everyone: Sequence[str],
    tables: Sequence[str],
    bound: BoundValues,
) -> CompiledQuery:
    """Add *parts* up (*everyone*: those without keys), and make the metrics of the sums."""
    by_page = split_by_page(query)
    keys = [f"k{i}" for i in range(len(query.dimensions))]
    summed = ", ".join([*keys, *(measures.sum_sql(m) for m in sorted(measures_of(query)))])
    grouped = f" GROUP BY {', '.join(keys)} HAVING sum(present) > 0" if keys else ""
    tables = [*tables, f"summed AS (SELECT {summed} FROM ({union(parts)}){grouped})"]
    source = "summed"
    if Metric.PERCENTAGE in query.metrics:
        tables.append(f"total AS (SELECT sum(visitors) AS everyone FROM ({union(everyone)}))")
        source = "summed, total"
    shown = [*(_label(d, k) for d, k in zip(query.dimensions, keys, strict=True))]
    shown += [f"{measures.metric_sql(m, by_page=by_page)} AS {m.value}" for m in query.metrics]
    if measures.REVENUE_METRICS & set(query.metrics):
        shown.append("currency_first")
    prefix = f"WITH {', '.join(tables)} "
    values = {**bound.values, "site": query.site}
    counting = Statement(f"{prefix}SELECT count(*) FROM summed", values)
    answer = f"{prefix}SELECT {', '.join(shown)} FROM {source}{_order_sql(query, keys, bound)}"
    answer += f" LIMIT {bound(query.limit)} OFFSET {bound(query.offset)}"
    return CompiledQuery(Statement(answer, {**bound.values, "site": query.site}), counting)


def follows_visits(query: Query) -> bool:
    """Whether it looks at rows outside the period, of visits that have some inside."""
    return RowSelects(query, BoundValues()).follows_visits


def measures_of(query: Query) -> frozenset[str]:
    """The measures that the query's metrics are made of."""
    return measures.needed(query.metrics, by_page=split_by_page(query))


def split_by_page(query: Query) -> bool:
    """Whether visits are split by page or hostname, where "visits" are those with a view there."""
    return any(dimension in columns.PAGE_COLUMNS for dimension in query.dimensions)


def union(parts: Sequence[str]) -> str:
    return " UNION ALL BY NAME ".join(f"({part})" for part in parts)


def _label(dimension: str, key: str) -> str:
    if dimension in TIME_DIMENSIONS:
        return f"{key} AS {key}"
    return f"CASE WHEN {key} = '' THEN '{columns.blank(dimension)}' ELSE {key} END AS {key}"


def _order_sql(query: Query, keys: Sequence[str], bound: BoundValues) -> str:
    """Time ascending, else the first metric descending; ties by the keys, so it is total."""
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
