"""Answers a query: checks and plans it, compiles it, runs the statements and labels the rows.

Each step is a module and takes what the one before it returned.
"""

from __future__ import annotations

from msgspec import structs

from analytics.query import Query, Result
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import engine, hot_window, results, site_state
from analytics.store.sql import compiler, query_plan, query_shape


def answer(connection: Connection, query: Query) -> Result:
    """Answer *query* from everything stored.

    Raise `Malformed` for a query that makes no sense, and `RowsEvicted` if it needs rows that this
    replica no longer has.
    """
    shape = query_shape.check(query)
    engine.check_patterns(connection, shape.filters.patterns)
    with transaction(connection):  # one state of rows and cells for all statements
        state = site_state.read(connection, query.site)
        plan = query_plan.from_cells(
            shape, state.cells, kept_since=state.kept_since, evicted=state.window is not None
        )
        hot_window.check(connection, state, plan)
        compiled = compiler.compile_query(plan)
        result = results.fetch(connection, query, compiled)
        visitor_days = results.counts_visitor_days(connection, plan)
    return structs.replace(result, visitor_days=visitor_days)
