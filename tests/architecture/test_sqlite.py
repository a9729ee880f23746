"""Whatever opens a SQLite file has what is deleted overwritten."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.architecture.checkout import files

from analytics import sqlite_file
from analytics.job.partition.state_file import StateFile

MARK = b"mark" + b"0123456789abcdef" * 8
ROWS = 200


def openers(path: Path) -> list[int]:
    """Return the lines of *path* that open SQLite by themselves."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) == "sqlite3.connect")
        or (isinstance(node, ast.ImportFrom) and node.module in ("sqlite3", "sqlite3.dbapi2"))
    ]


def test_one_module_opens_sqlite() -> None:
    sources = [path for path in files() if "src/analytics" in str(path) and path.suffix == ".py"]
    own = {path.name: openers(path) for path in sources if openers(path)}
    assert {*own} == {"sqlite_file.py"}


@pytest.mark.parametrize("factory", [sqlite3.Connection, StateFile])
@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
@pytest.mark.parametrize("change", ["DELETE FROM marks", "UPDATE marks SET text = x'00'"])
def test_what_was_deleted_is_in_no_byte_of_the_file(
    tmp_path: Path, factory: type[sqlite3.Connection], mode: str, change: str
) -> None:
    with closing(sqlite_file.connect(tmp_path / "file.sqlite", factory)) as database:
        database.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        database.execute("CREATE TABLE marks (text BLOB)")
        database.execute("BEGIN")
        database.executemany("INSERT INTO marks VALUES (?)", [(MARK * 50,)] * ROWS)
        database.execute("COMMIT")
        held = [path for path in tmp_path.iterdir() if MARK in path.read_bytes()]
        assert held, "the search sees what lies there"
        database.execute(change)
        sqlite_file.empty_log(database)
        assert [path for path in tmp_path.iterdir() if MARK in path.read_bytes()] == []
