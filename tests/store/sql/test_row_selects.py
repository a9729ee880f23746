"""No part of a question counts distinct values outside of a group, however few its keys are.

The engine writes what it groups to disk when it outgrows the memory limit. What it counts
distinct without a group it does not: of 60 million visitors, a gigabyte was not enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.query import Metric, Period, Query
from analytics.store.connection import Connection
from analytics.store.duckdb.engine import Engine
from analytics.store.sql import compiler, query_plan
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.query_shape import QueryShape

SITE = "a.example"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = Engine(tmp_path / "store.duckdb", "256MiB", 1)
    yield engine.connect()
    engine.close()


@pytest.mark.parametrize("metric", list(Metric))
def test_what_is_counted_distinct_is_grouped(connection: Connection, metric: Metric) -> None:
    query = Query(site=SITE, metrics=(metric,), period=Period(0, 30, "Etc/UTC"))
    compiled = compiler.compile_partial(query_plan.from_rows(QueryShape.of(query)))
    assert compiled.everyone is None or "count(DISTINCT" not in compiled.everyone.sql
    (select,) = re.findall(r"FROM \((.+)\)$", compiled.sums.sql, re.DOTALL)
    for sql in select.split(" UNION ALL BY NAME "):
        assert "count(DISTINCT" not in sql or "GROUP BY" in sql, sql


def test_a_part_of_no_rows_adds_nothing(connection: Connection) -> None:
    query = Query(site=SITE, metrics=(Metric.VISITORS,), period=Period(0, 30, "Etc/UTC"))
    plan = query_plan.from_rows(QueryShape.of(query))
    bound = BoundValues(SITE)
    _, rows = compiler.measured_rows(plan, bound)
    assert connection.rows(*bound.statement(f"SELECT * FROM {rows}")) == []
