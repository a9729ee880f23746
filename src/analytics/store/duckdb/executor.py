"""Compiles a query, runs the statements, and labels the answer as a `Result`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import structs

from analytics.errors import Malformed
from analytics.query import Query, Result, ResultRow
from analytics.store.connection import Connection, Record, UnreadableValue, transaction
from analytics.store.duckdb import hot_window
from analytics.store.sql import cells, compiler, measures, query_shape
from analytics.store.sql.query_shape import QueryShape
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


def answer(connection: Connection, query: Query) -> Result:
    """Answer *query* from everything stored.

    Raise `Malformed` for a query that makes no sense, and `RowsEvicted` if it needs rows that this
    replica no longer has.
    """
    shape = query_shape.check(query)
    _check_patterns(connection, shape.filters.patterns)
    with transaction(connection):  # one state of rows and cells for all statements
        since = _kept_since(connection, query.site)
        shape = shape.starting(since)
        hot = hot_window.of(connection, query.site)
        clean = cells.clean_days(connection, shape)
        if hot is not None and not hot_window.holds(connection, hot, shape, clean):
            raise hot_window.RowsEvicted(shape.query, hot.since, since)
        compiled = (
            compiler.compile_rows(shape)
            if clean is None
            else cells.compile_cells(shape, clean, gone=hot is not None)
        )
        result = answered(connection, query, compiled)
        visitor_days = counts_visitor_days(connection, shape)
    return structs.replace(result, visitor_days=visitor_days)


def _check_patterns(connection: Connection, patterns: Sequence[str]) -> None:
    """Raise `Malformed` for a regular expression that the engine cannot parse.

    The engine parses a pattern only when there is a text to match, so it gets an empty one.
    """
    for pattern in patterns:
        try:
            connection.rows("SELECT regexp_matches('', ?)", [pattern])
        except UnreadableValue as exc:
            raise Malformed(
                "filters", f"{pattern!r} is not a regular expression that RE2 can read"
            ) from exc


def answered(connection: Connection, query: Query, compiled: compiler.CompiledQuery) -> Result:
    """Run the statements that *query* was compiled to, and return the labelled rows."""
    records = connection.rows(*compiled.answer)
    total = None
    if query.total_rows:
        ((total,),) = connection.rows(*compiled.counting)
    return Result(rows=tuple(_row(query, record) for record in records), total_rows=total)


def counts_visitor_days(connection: Connection, shape: QueryShape) -> bool:
    """Return whether visitors are counted over several days, some of them without a cookie.

    The id of a visitor without a cookie lasts one day, so such a visitor counts once a day.
    """
    if "visitors" not in shape.measures or shape.first_day >= shape.last_day:
        return False
    query = shape.query
    values: dict[str, object] = {
        "site": query.site,
        "start": query.period.start,
        "end": query.period.end,
        "bots": query.bots,
        "cookieless": COOKIELESS,
    }
    stored = connection.rows(_COOKIELESS, values)
    return bool(stored) or hot_window.cookieless(connection, shape)


def _kept_since(connection: Connection, site: str) -> int:
    """Return the start (ms) of the days of *site* that retention has kept; 0 if all of them."""
    kept = connection.rows("SELECT since FROM kept_since WHERE site = ?", [site])
    return int(kept[0][0]) if kept else 0


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
