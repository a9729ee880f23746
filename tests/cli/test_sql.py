"""`analytics sql`, beside a server and alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Command, called

LINE = '192.0.2.{n} - - [24/Nov/2026:12:0{n}:00 +0000] "GET /{path} HTTP/1.1" 200 9 "-" "{agent}"\n'
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def filled(command: Command) -> None:
    for site, path in (("a.example", "one"), ("b.example", "two")):
        command("site", "add", site)
        lines = "".join(LINE.format(n=n, path=f"{path}{n}", agent=AGENT) for n in range(3))
        done = command("import", "access-log", "-", "--site", site, stdin=lines.encode())
        assert done.code == 0, done.err


def test_a_select_is_answered_in_every_format(command: Command, tmp_path: Path) -> None:
    filled(command)
    statement = "SELECT path, ts FROM events ORDER BY path LIMIT 2"
    shown = command("sql", statement)
    assert shown.out == ("path   ts\n/one0  2026-11-24 12:00:00\n/one1  2026-11-24 12:01:00\n"), (
        shown.err
    )
    assert command("sql", "--format", "json", statement).json == {
        "columns": [{"name": "path", "type": "VARCHAR"}, {"name": "ts", "type": "TIMESTAMP"}],
        "row_count": 2,
        "rows": [["/one0", "2026-11-24 12:00:00"], ["/one1", "2026-11-24 12:01:00"]],
    }
    from_input = command("sql", "--format", "csv", stdin=statement.encode())
    assert from_input.out == (
        '"path",ts\n"/one0",2026-11-24 12:00:00\n"/one1",2026-11-24 12:01:00\n'
    )
    output = tmp_path / "answer.parquet"
    assert command("sql", "--format", "parquet", "--output", output, statement).code == 0
    assert output.read_bytes().startswith(b"PAR1")
    count = "SELECT site, count(*) AS n FROM events GROUP BY site"
    assert command("sql", "--site", "b.example", count).out == "site       n\nb.example  3\n"
    later = ("--from", "2026-11-24T12:02:00Z", "--to", "2026-11-24")
    assert command("sql", *later, "SELECT path FROM events ORDER BY 1").out == (
        "path\n/one2\n/two2\n"
    )


def test_a_folder_is_found_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path, as is that of the folder that is there unless another is named."""
    monkeypatch.chdir(tmp_path)
    assert called("site", "add", "a.example").code == 0
    for form in ("table", "csv", "json"):
        done = called("sql", "--format", form, "SELECT count(*) AS n FROM events")
        assert (done.code, done.err) == (0, "")
    assert called("sql", "--data", "analytics-data", "SELECT 1 AS n").out == "n\n1\n"


def test_what_is_wrong_is_said_in_one_line(command: Command) -> None:
    filled(command)
    for statement, reason in (
        ("SELECT nothing FROM events", 'Referenced column "nothing" not found'),
        ("DELETE FROM events", "send one SELECT, and nothing else"),
        ("SELECT * FROM read_csv('/etc/passwd')", "file system operations are disabled"),
    ):
        done = command("sql", statement)
        assert (done.code, done.out) == (2, "")
        assert reason in done.err
        assert done.err.count("\n") == 1
    assert "c.example is not a site here" in command("sql", "--site", "c.example", "SELECT 1").err


def test_text_of_visitors_steers_no_terminal(command: Command) -> None:
    filled(command)
    done = command("sql", "SELECT chr(27) || '[31m' AS t")
    assert done.out == "t\n\\u001b[31m\n"
    assert json.loads(command("sql", "--format", "json", "SELECT chr(27) AS t").out)["rows"] == [
        ["\x1b"]
    ]
