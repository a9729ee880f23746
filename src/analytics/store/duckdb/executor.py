"""Answers a query: checks and plans it, compiles it, runs the statements and labels the rows.

Each step is a module and takes what the one before it returned.
"""

from __future__ import annotations

from msgspec import structs

from analytics.query import Imports, Query, Result
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import engine, hot_window, imported_sums, results, site_state
from analytics.store.sql import compiler, imported_shape, query_plan, query_shape
from analytics.store.sql.imported_shape import JoiningDays


def answer(connection: Connection, query: Query) -> Result:
    """Answer *query* from everything stored.

    Raise `Malformed` for a query that makes no sense, and `RowsEvicted` if it needs rows that this
    replica no longer has.
    """
    shape = query_shape.check(query)
    engine.check_patterns(connection, shape.filters.patterns)
    with transaction(connection):  # one state of rows and cells for all statements
        state = site_state.read(connection, query.site, shape.goal_keys)
        plan = query_plan.from_cells(
            shape, state.cells, kept_since=state.kept_since, evicted=state.window is not None
        )
        imports = _imports(connection, query)
        if isinstance(imports, JoiningDays):
            plan = plan._replace(imported=imports)
        hot_window.check(connection, state, plan)
        compiled = compiler.compile_query(plan)
        result = results.fetch(connection, query, compiled)
        visitor_days = results.counts_visitor_days(connection, plan)
    if isinstance(imports, JoiningDays):
        # The sums of each day add up as visitors do who have no cookie.
        visitor_days = visitor_days or (
            "visitors" in shape.measures and plan.first_day < plan.last_day
        )
        imports = Imports.INCLUDED
    return structs.replace(result, visitor_days=visitor_days, imports=imports)


def _imports(connection: Connection, query: Query) -> JoiningDays | Imports | None:
    """Return the days whose imported sums join the answer, or why none do; None if not asked."""
    if not query.imports:
        return None
    return imported_shape.joining(query, imported_sums.spans(connection, query.site))
