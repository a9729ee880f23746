"""Partial answers: the measures of some visitors' rows, which add up to the whole answer.

Uniques, visits and exits are counted within one visitor's rows. So if all rows of a visitor are in
one place, the sums over several places equal the sums over all rows (`measures.py`). The metrics
are computed, sorted and limited from these sums, by the same statements as for rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from msgspec import structs

from analytics.exploration import Exploration, ExplorationResult
from analytics.query import Query, Result
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import explorations, results
from analytics.store.sql import compiler, query_plan
from analytics.store.sql.query_shape import QueryShape

_SUFFIX: Final = "partial.parquet"


class PartialAnswer(NamedTuple):
    """The answer from the rows of some visitors."""

    sums: bytes
    """A Parquet file of the measures by key."""
    everyone: int
    """Visitors, all keys together; 0 unless a metric needs it."""
    visitor_days: bool
    """See `Result.visitor_days`."""


def make(
    connection: Connection, question: Query | Exploration, scratch: Path, *, kept_since: int = 0
) -> PartialAnswer:
    """Return the partial answer to *question* from the rows of *connection*.

    It is written to a file in the folder *scratch* first. An exploration knows of nothing before
    *kept_since* (ms); a query's period says so itself.
    """
    if isinstance(question, Query):
        return _of_query(connection, question, scratch)
    return PartialAnswer(
        explorations.make_partial(connection, question, kept_since, scratch), 0, False
    )


def _of_query(connection: Connection, query: Query, scratch: Path) -> PartialAnswer:
    plan = query_plan.from_rows(QueryShape.of(query))
    compiled = compiler.compile_partial(plan)
    path = scratch / f"{uuid4().hex}.{_SUFFIX}"
    target = str(path).replace("'", "''")
    try:
        with transaction(connection):
            sums = compiled.sums
            connection.run(f"COPY ({sums.sql}) TO '{target}' (FORMAT parquet)", sums.values)
            everyone = 0
            if compiled.everyone is not None:
                ((everyone,),) = connection.rows(*compiled.everyone)
            visitor_days = results.counts_visitor_days(connection, plan)
        return PartialAnswer(path.read_bytes(), int(everyone), visitor_days)
    finally:
        path.unlink(missing_ok=True)


def merge(
    connection: Connection,
    question: Query | Exploration,
    partials: Sequence[PartialAnswer],
    scratch: Path,
) -> Result | ExplorationResult:
    """Merge *partials* (at least one) into the whole answer.

    *connection* is only used for computation, the folder *scratch* for files.
    """
    if isinstance(question, Query):
        return _merged_query(connection, question, partials, scratch)
    return explorations.merge(connection, question, [each.sums for each in partials], scratch)


def _merged_query(
    connection: Connection, query: Query, partials: Sequence[PartialAnswer], scratch: Path
) -> Result:
    run = uuid4().hex
    paths = [scratch / f"{run}-{number}.{_SUFFIX}" for number in range(len(partials))]
    try:
        for path, partial in zip(paths, partials, strict=True):
            path.write_bytes(partial.sums)
        files = str(scratch / f"{run}-*.{_SUFFIX}")
        everyone = sum(partial.everyone for partial in partials)
        compiled = compiler.compile_merged(QueryShape.of(query), files, everyone)
        result = results.fetch(connection, query, compiled)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    days = any(partial.visitor_days for partial in partials)
    return structs.replace(result, visitor_days=days)
