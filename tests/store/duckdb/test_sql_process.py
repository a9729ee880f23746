"""Questions in SQL: what they may see, and what they may take."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.store.rows import DAY, HOUR, MINUTE, Log

from analytics import caller
from analytics.caller import Caller
from analytics.errors import AnalyticsError, Busy, Malformed, QueryTooLong, ReaderLeft
from analytics.query import Metric, Period, Query
from analytics.store.duckdb import DuckDBStore
from analytics.store.duckdb.sql_process import SqlLimits
from analytics.store.duckdb.sql_views import VIEWS
from analytics.store.sql_question import SqlAnswer, SqlFormat, SqlQuestion
from analytics.testing.builders import NOON, SITE, hit
from analytics.time_span import ALWAYS

OTHER = "secret.example"
ZONE = "Europe/Berlin"
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "sql.md"


@pytest.fixture
async def filled(store: DuckDBStore) -> DuckDBStore:
    """Three visits of two visitors on our site, and one on another site."""
    await store.write(
        Log().batch(
            [
                hit(NOON, path="/a", title="=1+1", utm_source="news"),
                hit(NOON + MINUTE, path="/b"),
                hit(NOON + 2 * MINUTE, name="signup", path="/b", props={"plan": "pro"}),
                hit(NOON + 3 * HOUR, path="/c"),
                hit(NOON + DAY, visitor=2, path="/a", revenue="12.500", currency="EUR"),
                hit(NOON, visitor=3, path="/crawled", bot="crawler"),
                hit(NOON, site=OTHER, visitor=4, path="/secret"),
            ]
        )
    )
    return store


def question(
    statement: str,
    *,
    sites: Sequence[str] = (SITE,),
    kind: SqlFormat = SqlFormat.JSON,
    span: tuple[int, int] = ALWAYS,
) -> SqlQuestion:
    return SqlQuestion(statement, dict.fromkeys(sites, ZONE), *span, kind)


async def ask(store: DuckDBStore, statement: str, **options: Any) -> SqlAnswer:
    return await store.sql(question(statement, **options))


async def rows(store: DuckDBStore, statement: str, **options: Any) -> Any:
    answer = await ask(store, statement, **options)
    try:
        return json.loads(answer.path.read_text())
    finally:
        answer.path.unlink()


async def test_the_three_views_answer(filled: DuckDBStore) -> None:
    assert await rows(
        filled, "SELECT path, count(*) FROM events WHERE bot IS NULL GROUP BY path ORDER BY 2, 1"
    ) == [["/c", 1], ["/a", 2], ["/b", 2]]
    assert await rows(
        filled,
        "SELECT day, entry_path, exit_path, pageviews, events, duration_ms, bounced FROM visits"
        " WHERE bot IS NULL ORDER BY started_at",
    ) == [
        ["2026-11-24", "/a", "/b", 2, 3, 2 * MINUTE, False],
        ["2026-11-24", "/c", "/c", 1, 1, 0, True],
        ["2026-11-25", "/a", "/a", 1, 1, 0, True],
    ]
    assert await rows(filled, "SELECT * FROM cells") == []
    assert await filled.build_cells(NOON + 3 * DAY) == 1
    assert await rows(
        filled,
        "SELECT day, visitors, pageviews, visits, bounces FROM cells"
        " WHERE dimension = 'total' ORDER BY day",
    ) == [["2026-11-24", 1, 3, 2, 1], ["2026-11-25", 1, 1, 1, 1]]


async def test_the_values_keep_their_types(filled: DuckDBStore) -> None:
    answer = await ask(
        filled,
        "SELECT ts, props, revenue, visitor, CAST('nan' AS DOUBLE) AS n FROM events"
        " WHERE currency = 'EUR' OR name = 'signup' ORDER BY ts",
    )
    assert [(column.name, column.type) for column in answer.columns] == [
        ("ts", "TIMESTAMP"),
        ("props", "MAP(VARCHAR, VARCHAR)"),
        ("revenue", "DECIMAL(38,3)"),
        ("visitor", "UBIGINT"),
        ("n", "DOUBLE"),
    ]
    assert json.loads(answer.path.read_text()) == [
        ["2026-11-24 12:02:00", {"plan": "pro"}, None, 1, None],
        ["2026-11-25 12:00:00", {}, "12.500", 2, None],
    ]


async def test_visits_are_those_of_the_figures(filled: DuckDBStore) -> None:
    period = Period(NOON - DAY, NOON + 2 * DAY, ZONE)
    metrics = (Metric.VISITS, Metric.PAGEVIEWS, Metric.VISITORS)
    figures = await filled.query(Query(site=SITE, metrics=metrics, period=period))
    assert await rows(
        filled,
        "SELECT (SELECT count(*) FROM visits WHERE bot IS NULL),"
        " count(*) FILTER (name = 'pageview'),"
        " count(DISTINCT visitor) FROM events WHERE bot IS NULL",
        span=(period.start, period.end),
    ) == [list(figures.rows[0].metrics)]


async def test_uniques_of_any_days_come_from_cells(filled: DuckDBStore) -> None:
    await filled.write(Log().batch([hit(NOON + DAY + HOUR, path="/a")]))
    await filled.build_cells(NOON + 3 * DAY)
    statement = (
        "SELECT sum(list_sum([v.value FOR v IN map_entries(visitors_by_gap)"
        " IF v.key > day - DATE '{first}'])) FROM cells"
        " WHERE dimension = 'total' AND day BETWEEN DATE '{first}' AND DATE '2026-11-25'"
    )
    for first, uniques in (("2026-11-24", 2), ("2026-11-25", 2)):
        assert await rows(filled, statement.format(first=first)) == [[uniques]]


async def test_a_span_bounds_each_view(filled: DuckDBStore) -> None:
    await filled.build_cells(NOON + 3 * DAY)
    span = (NOON + 2 * HOUR, NOON + 2 * DAY)
    assert await rows(filled, "SELECT path FROM events ORDER BY ts", span=span) == [["/c"], ["/a"]]
    assert await rows(filled, "SELECT count(*) FROM visits", span=span) == [[2]]
    days = "SELECT DISTINCT day FROM cells"
    assert await rows(filled, days, span=span) == [["2026-11-25"]]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT path FROM events",
        "FROM events",
        "SELECT e FROM events e",
        "SELECT COLUMNS('pat.') FROM events",
        "WITH events AS (SELECT * FROM events) SELECT * FROM events",
        "WITH RECURSIVE x AS (SELECT path FROM events UNION SELECT path FROM x) FROM x",
        "SELECT * FROM query('SELECT * FROM events')",
        "SELECT * FROM query_table('events')",
        "SELECT exit_path, entry_path FROM visits",
        "SELECT path FROM main.events UNION SELECT path FROM memory.main.events",
        "SELECT * FROM events JOIN visits USING (visit)",
        "SELECT * FROM events NATURAL JOIN visits",
        "SELECT * FROM cells",
        "SELECT * FROM events WHERE site = 'secret.example' OR true",
        "SELECT * FROM events UNION ALL BY NAME SELECT * FROM visits",
    ],
)
async def test_no_row_of_another_site_is_seen(filled: DuckDBStore, statement: str) -> None:
    await filled.build_cells(NOON + 3 * DAY)
    answer = await ask(filled, statement)
    text = answer.path.read_text()
    assert answer.rows > 0
    assert "secret" not in text.replace("'secret.example'", "")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM rows",
        "SELECT * FROM main.rows",
        "SELECT * FROM store.main.rows",
        "WITH rows AS (SELECT * FROM main.rows) SELECT * FROM rows",
        "SELECT * FROM query('SELECT * FROM rows')",
        "SELECT * FROM query_table('rows')",
        "SELECT * FROM ledger",
        "SELECT * FROM dead_letters",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_blob('{folder}/store.duckdb')",
        "SELECT * FROM '{folder}/store.duckdb'",
        "SELECT * FROM read_parquet('{folder}/scratch/*/*.parquet')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM read_json('https://example.com/x.json')",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM connection",
        "SELECT * FROM enable_logging(storage = 'file')",
        "COPY (SELECT 1) TO '{folder}/x'",
        "ATTACH '{folder}/store.duckdb' AS s",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '10GB'",
        "SET VARIABLE x = 1",
        "RESET ALL",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPORT DATABASE '{folder}/x'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO f() AS 1",
        "INSERT INTO events SELECT * FROM events",
        "DELETE FROM events",
        "UPDATE events SET path = ''",
        "DROP VIEW events",
        "BEGIN",
        "CHECKPOINT",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{folder}/x'",
        "SELECT 1) TO '{folder}/x' --",
        "SELECT $1",
        "SELECT",
        "SELECT nothing FROM events",
        "",
        "-- nothing",
        "SELECT '\ud800'",
    ],
)
async def test_nothing_else_can_be_reached(
    filled: DuckDBStore, tmp_path: Path, statement: str
) -> None:
    with pytest.raises(Malformed) as refused:
        await ask(filled, statement.replace("{folder}", str(tmp_path)))
    assert str(tmp_path / "store.duckdb") not in str(refused.value) or "{folder}" in statement
    assert {path.name for path in tmp_path.iterdir()} == {
        "scratch",
        "store.duckdb",
        "store.duckdb.wal",
    }
    assert [*(tmp_path / "scratch").iterdir()] == []


async def test_what_the_engine_says_of_itself_names_no_site_and_no_secret(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANALYTICS_KAFKA__PASSWORD", "hunter2")
    for table in (
        "information_schema.tables",
        "information_schema.columns",
        "duckdb_tables()",
        "duckdb_views()",
        "duckdb_settings()",
        "duckdb_databases()",
        "duckdb_variables()",
        "duckdb_temporary_files()",
        "sqlite_master",
        "pg_catalog.pg_tables",
        "(SHOW ALL TABLES)",
        "(DESCRIBE events)",
        "(SUMMARIZE events)",
    ):
        text = (
            await ask(filled, f"SELECT * FROM {table}, (SELECT 1 FROM events)")
        ).path.read_text()
        assert "secret.example" not in text
        assert "hunter2" not in text
        assert "store.duckdb" not in text


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT length(repeat('x', 1000000000))",
        "SELECT len(range(100000000))",
        "SELECT list(a.range) FROM range(10000000) a, range(1000) b",
        "SELECT repeat('x', 100000) FROM range(9000)",
        "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
        "SELECT " + "1+" * 20_000 + "1",
    ],
)
async def test_what_needs_too_much_is_refused_and_the_store_goes_on(
    filled: DuckDBStore, statement: str
) -> None:
    with pytest.raises(Malformed):
        await ask(filled, statement)
    assert await rows(filled, "SELECT count(*) FROM events") == [[6]]


async def test_reading_too_many_values_is_refused(
    filled: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.bounds.SQL_VALUES", 12)
    assert await rows(filled, "SELECT count(path), min(name) FROM events") == [[6, "pageview"]]
    with pytest.raises(Malformed, match="it needs 37 columns of 6 events"):
        await ask(filled, "SELECT * FROM events")
    later = (NOON + DAY, NOON + 2 * DAY)
    with pytest.raises(Malformed, match="it needs 37 columns of 1 events"):
        await ask(filled, "SELECT * FROM events", span=later)


async def limited(tmp_path: Path, **limits: Any) -> DuckDBStore:
    return DuckDBStore(tmp_path / "limited.duckdb", sql=SqlLimits(**limits))


ENDLESS = "SELECT max(hash(range)) FROM range(1000000000000000)"


async def test_more_rows_than_may_be_answered_are_left_out_and_that_is_said(
    tmp_path: Path,
) -> None:
    async with await limited(tmp_path, rows=3) as store:
        for kind in SqlFormat:
            answer = await ask(store, "SELECT range FROM range(4)", kind=kind)
            assert (answer.rows, answer.truncated) == (3, True)
        answer = await ask(store, "SELECT range FROM range(3)")
        assert (answer.rows, answer.truncated) == (3, False)


async def test_a_question_that_takes_too_long_ends_and_lets_the_next_begin(tmp_path: Path) -> None:
    async with await limited(tmp_path, seconds=1.5, at_once=1) as store:
        with pytest.raises(QueryTooLong):
            await ask(store, ENDLESS)
        assert children() == []
        assert await rows(store, "SELECT 1") == [[1]]


async def test_a_question_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    async with await limited(tmp_path, at_once=1) as store:
        asking = asyncio.ensure_future(ask(store, ENDLESS))
        while not children():
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        assert children() == []
        left = asyncio.Event()

        async def leave() -> None:
            await left.wait()

        with caller.on_behalf_of(Caller("somebody", leave)):
            asking = asyncio.ensure_future(ask(store, ENDLESS))
        while not children():
            await asyncio.sleep(0.01)
        left.set()
        with pytest.raises(AnalyticsError):
            await asking
        assert isinstance(asking.exception(), ReaderLeft | AnalyticsError)
        assert children() == []
        assert await rows(store, "SELECT 1") == [[1]]


async def test_who_waits_too_long_for_a_turn_is_told(tmp_path: Path) -> None:
    async with await limited(tmp_path, at_once=1, patience_s=0.1) as store:
        asking = asyncio.ensure_future(ask(store, ENDLESS))
        while not children():
            await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await ask(store, "SELECT 1")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def children() -> list[int]:
    """The processes of questions that this one has started."""
    own = Path(f"/proc/{os.getpid()}/task")
    return [
        int(child)
        for thread in own.iterdir()
        for child in (thread / "children").read_text().split()
        if b"sql_child" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def test_a_spreadsheet_runs_no_text_of_a_visitor(filled: DuckDBStore) -> None:
    answer = await ask(
        filled,
        "SELECT title, visitor, [title] AS titles FROM events WHERE path = '/a' ORDER BY ts",
        kind=SqlFormat.CSV,
    )
    assert answer.path.read_text() == (
        '"title",visitor,"titles"\n"\'=1+1",1,"[\'=1+1\']"\n"",2,"[\'\']"\n'
    )


async def test_parquet_holds_the_types(filled: DuckDBStore) -> None:
    import duckdb

    answer = await ask(filled, "SELECT day, visitor, props FROM events", kind=SqlFormat.PARQUET)
    described = duckdb.sql(f"DESCRIBE FROM read_parquet('{answer.path}')").fetchall()
    assert [row[1] for row in described] == ["DATE", "UBIGINT", "MAP(VARCHAR, VARCHAR)"]


@pytest.mark.parametrize("view", VIEWS)
def test_the_documentation_has_every_column(view: str) -> None:
    section = DOCUMENTATION.read_text("utf-8").partition(f"### {view}\n")[2].partition("\n#")[0]
    documented = [line for line in section.splitlines() if line.startswith("| `")]
    assert documented == [
        f"| `{name}` | `{column.type}` | {column.meaning} |" for name, column in VIEWS[view].items()
    ]


@pytest.mark.parametrize("view", VIEWS)
async def test_the_columns_have_the_types_that_are_documented(
    filled: DuckDBStore, view: str
) -> None:
    described = await rows(filled, f"SELECT column_name, column_type FROM (DESCRIBE {view})")
    assert described == [[name, column.type] for name, column in VIEWS[view].items()]


async def test_an_answer_says_which_days_a_replica_has_evicted(tmp_path: Path) -> None:
    async with DuckDBStore(
        tmp_path / "replica.duckdb",
        timezones=lambda: {SITE: ZONE},
        rebuild_at_most_every_ms=0,
        hot_days=2,
    ) as store:
        hits = [hit(NOON + day * DAY, path=f"/{day}") for day in range(5)]
        await store.write(Log().batch(hits))
        await store.build_cells(NOON + 5 * DAY)
        answer = await ask(store, "SELECT path FROM events ORDER BY ts")
        # 2026-11-27 in Berlin, which is an hour ahead.
        assert answer.held_since == {SITE: NOON + 2 * DAY + 11 * HOUR}
        assert json.loads(answer.path.read_text()) == [["/3"], ["/4"]]
        assert await rows(store, "SELECT count(*) FROM visits") == [[2]]
        days = "SELECT count(DISTINCT day) FROM cells"
        assert await rows(store, days) == [[5]]
        assert (await ask(store, days)).held_since == {}
