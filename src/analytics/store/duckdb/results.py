"""Runs the statements of a compiled query and labels their rows as a `Result`."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Final

from analytics.query import Figure, Metric, Query, Result, ResultRow
from analytics.store.connection import Connection, Record
from analytics.store.sql import measures
from analytics.store.sql.assembly import CompiledQuery
from analytics.store.sql.query_plan import QueryPlan
from analytics.store.sql.time_buckets import label
from analytics.visitor_id import COOKIELESS

# An engagement ping makes no visitor. Each block of rows knows its highest visitor, so that
# where everybody has a cookie next to nothing is read; and where nobody has, the first row ends it.
_COOKIELESS: Final = """
SELECT 1 FROM rows
WHERE site = $site AND ts >= $start AND ts < $end AND visitor >= $cookieless
    AND name <> 'engagement' AND ($bots OR bot IS NULL)
LIMIT 1
"""
_EVICTED_COOKIELESS: Final = """
SELECT 1 FROM cookieless_days WHERE site = ? AND day >= ? AND day <= ? LIMIT 1
"""


def fetch(connection: Connection, query: Query, compiled: CompiledQuery) -> Result:
    """Run the statements to which *query* was compiled, and return the labelled rows."""
    records = connection.rows(*compiled.answer)
    total = None
    if query.total_rows:
        ((total,),) = connection.rows(*compiled.counting)
    return Result(
        rows=tuple(_row(query, record) for record in records),
        total_rows=total,
        mixed_revenue=_has_money(query) and any(record[-2] != record[-1] for record in records),
    )


def counts_visitor_days(connection: Connection, plan: QueryPlan) -> bool:
    """Return whether visitors are counted over several days, some of them without a cookie.

    The id of a visitor without a cookie lasts one day, so such a visitor counts once a day.
    """
    if "visitors" not in plan.shape.measures or plan.first_day >= plan.last_day:
        return False
    query = plan.shape.query
    values: dict[str, object] = {
        "site": query.site,
        "start": query.period.start,
        "end": query.period.end,
        "bots": query.bots,
        "cookieless": COOKIELESS,
    }
    evicted = [query.site, plan.first_day, plan.last_day]
    return bool(
        connection.rows(_COOKIELESS, values) or connection.rows(_EVICTED_COOKIELESS, evicted)
    )


def _row(query: Query, record: Record) -> ResultRow:
    width = len(query.dimensions)
    currency = record[-1] if _has_money(query) else None
    values = islice(record, width, width + len(query.metrics))
    return ResultRow(
        tuple(label(d, value) for d, value in zip(query.dimensions, record, strict=False)),
        tuple(
            _figure(metric, value, currency)
            for metric, value in zip(query.metrics, values, strict=True)
        ),
    )


def _has_money(query: Query) -> bool:
    """Return whether the last two columns of an answer are the first and the last currency."""
    return not measures.REVENUE_METRICS.isdisjoint(query.metrics)


def _figure(metric: Metric, value: int | float | None, currency: str | None) -> Figure:
    """Return the value computed for *metric* as the answer shows it; money as `12.500 EUR`."""
    if value is None or metric not in measures.REVENUE_METRICS:
        return value
    return f"{Decimal(value).scaleb(-3):.3f} {currency}"
