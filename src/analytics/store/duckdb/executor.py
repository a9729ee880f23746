"""How a query becomes a `Result`: compile it, run it, label it."""

from __future__ import annotations

from itertools import islice
from typing import Final

from msgspec import structs

from analytics import localtime
from analytics.errors import Malformed
from analytics.event import COOKIELESS
from analytics.query import Query, Result, ResultRow
from analytics.store.connection import Connection, Record, UnreadableValue, transaction
from analytics.store.duckdb import hot_window
from analytics.store.sql import cells, compiler, conditions, measures
from analytics.store.sql.time_buckets import label

# An engagement ping makes no visitor. Each block of rows knows its highest visitor, so that
# where everybody has a cookie next to nothing is read; and where nobody has, the first row ends it.
_COOKIELESS: Final = """
SELECT 1 FROM rows
WHERE site = $site AND ts >= $start AND ts < $end AND visitor >= $cookieless
    AND name <> 'engagement' AND ($bots OR bot IS NULL)
LIMIT 1
"""


def answer(connection: Connection, query: Query) -> Result:
    """Answer *query* from everything stored."""
    compiler.check(query)
    _check_patterns(connection, query)
    with transaction(connection):  # one state of rows and cells for all statements
        since = _kept_since(connection, query.site)
        kept = _from(query, since)
        hot = hot_window.of(connection, query.site)
        clean = cells.clean_days(connection, kept)
        if hot is not None and not hot_window.holds(connection, hot, kept, clean):
            raise hot_window.RowsEvicted(kept, hot.since, since)
        compiled = (
            compiler.compile_rows(kept)
            if clean is None
            else cells.compile_cells(kept, clean, gone=hot is not None)
        )
        result = answered(connection, query, compiled)
        visitor_days = counts_visitor_days(connection, kept)
    return structs.replace(result, visitor_days=visitor_days)


def _check_patterns(connection: Connection, query: Query) -> None:
    """The compiler checks everything but the one language that only the engine reads.

    It reads a pattern when there is a row to compare, so it is given one.
    """
    for pattern in conditions.patterns(query.filters):
        try:
            connection.rows("SELECT regexp_matches('', ?)", [pattern])
        except UnreadableValue as exc:
            raise Malformed(
                "filters", f"{pattern!r} is not a regular expression that RE2 can read"
            ) from exc


def answered(connection: Connection, query: Query, compiled: compiler.CompiledQuery) -> Result:
    """Run what *query* was compiled to, and label it."""
    records = connection.rows(*compiled.answer)
    total = None
    if query.total_rows:
        ((total,),) = connection.rows(*compiled.counting)
    return Result(rows=tuple(_row(query, record) for record in records), total_rows=total)


def counts_visitor_days(connection: Connection, query: Query) -> bool:
    """Whether it counts visitors over several days, and some of them are good for one day only."""
    zone, start, end = query.period.timezone, query.period.start, query.period.end
    if "visitors" not in compiler.measures_of(query):
        return False
    if localtime.day_of(zone, start) >= localtime.day_of(zone, end - 1):
        return False
    values = {"site": query.site, "start": start, "end": end, "bots": query.bots}
    here = connection.rows(_COOKIELESS, {**values, "cookieless": COOKIELESS})
    return bool(here) or hot_window.cookieless(connection, query)


def _kept_since(connection: Connection, site: str) -> int:
    """The days of *site* that ended by then were deleted by retention."""
    found = connection.rows("SELECT since FROM kept_since WHERE site = ?", [site])
    return int(found[0][0]) if found else 0


def _from(query: Query, since: int) -> Query:
    """The query without what lies before *since*."""
    start = max(query.period.start, since)
    if start == query.period.start:
        return query
    period = structs.replace(query.period, start=start, end=max(query.period.end, start))
    return structs.replace(query, period=period)


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
