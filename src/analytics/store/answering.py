"""How a query becomes a `Result`: compile it, run it, label it."""

from __future__ import annotations

from itertools import islice

from analytics.query import Query, Result, ResultRow
from analytics.store import compiler, measures
from analytics.store.buckets import label
from analytics.store.connection import Connection, Record


def answer(connection: Connection, query: Query) -> Result:
    """Answer *query* from everything stored."""
    compiler.check(query)
    compiled = compiler.compile_rows(query)
    records = connection.rows(*compiled.answer)
    total = None
    if query.total_rows:
        ((total,),) = connection.rows(*compiled.counting)
    return Result(rows=tuple(_row(query, record) for record in records), total_rows=total)


def _row(query: Query, record: Record) -> ResultRow:
    width = len(query.dimensions)
    currency = record[-1] if measures.REVENUE_METRICS & set(query.metrics) else None
    values = islice(record, width, width + len(query.metrics))
    return ResultRow(
        tuple(label(d, value) for d, value in zip(query.dimensions, record, strict=False)),
        tuple(
            measures.figure(metric, value, currency)
            for metric, value in zip(query.metrics, values, strict=True)
        ),
    )
