"""The process that answers one question in SQL, run by `sql_process.py` as a program of its own.

A question may name any function, and DuckDB's own limit of memory does not hold for what functions
make: `range(100000000)` takes gigabytes, and no interrupt ends it. So it runs in a process that the
system bounds, that sees nothing but copies of the rows that it may see, and that can be ended.

It imports nothing of this project, so that it starts fast. It is told and tells one line of JSON at
a time: the request; what it needs; where that was copied to; what the answer is.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

Json = dict[str, Any]

_MORE_SECONDS = 5
"""Of a processor than of time, after which nobody waits: the last bound, if the server is gone."""


class RefusedError(Exception):
    """The question cannot be answered; the text is for who asks."""


def main() -> None:
    """Answer the one question that standard input brings."""
    request = json.loads(sys.stdin.readline())
    _bound(request)
    try:
        connection = duckdb.connect(":memory:", config=_config(request))
        statement = _only_select(connection, request["statement"])
        _tell({"needs": _needs(connection, statement, request["views"])})
        files = json.loads(sys.stdin.readline())["files"]
        _open(connection, files, request)
        _tell(_answer(connection, statement, request))
    except RefusedError as exc:
        _tell({"refused": str(exc)})
    except (MemoryError, duckdb.OutOfMemoryException):
        _tell({"memory": True})
    except duckdb.Error as exc:
        _tell({"refused": _reason(exc)})


def _bound(request: Json) -> None:
    """Let the system hold this process to its bounds, and end it first when memory is short."""
    _limit(resource.RLIMIT_DATA, request["memory"])
    _limit(resource.RLIMIT_CPU, int(request["seconds"]) + _MORE_SECONDS)
    _limit(resource.RLIMIT_FSIZE, request["answer_bytes"])
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(10)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _config(request: Json) -> dict[str, Any]:
    return {
        "memory_limit": f"{request['memory'] // 2 >> 20}MiB",
        "threads": 1,
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }


def _only_select(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    statements = connection.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RefusedError("send one SELECT, and nothing else")
    if statements[0].named_parameters:
        raise RefusedError("a question has no parameters: write the values into it")
    return statements[0].query.rstrip().rstrip(";")


def _needs(
    connection: duckdb.DuckDBPyConnection, statement: str, views: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Return the views that the statement names, with every column that it may read.

    What is not listed is not there for it, so a column too few is an error and no wrong answer.
    """
    text = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()[0][0]
    tree = json.loads(text)
    nodes = list(_walk(tree))
    words = {value.lower() for node in nodes for value in node.values() if isinstance(value, str)}
    for node in nodes:
        for value in node.values():
            if isinstance(value, list):
                words.update(each.lower() for each in value if isinstance(each, str))
    tables = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    aliases = {str(table["alias"]).lower() for table in tables} | set(views)
    by_string = {
        view
        for node in nodes
        if node.get("kind") == "STRING"
        for view in views
        if view in str(node.get("text", "")).lower()
    }
    everything = any(
        node.get("class") == "STAR"
        or node.get("type") in {"SHOW_REF", "PIVOT"}
        or node.get("ref_type") == "NATURAL"
        # A table's name in the place of a column stands for its whole row.
        or (
            node.get("class") == "COLUMN_REF"
            and len(node["column_names"]) == 1
            and node["column_names"][0].lower() in aliases
        )
        for node in nodes
    )
    named = {str(table["table_name"]).lower() for table in tables}
    return {
        view: [c for c in columns if everything or view in by_string or c in words]
        for view, columns in views.items()
        if view in named or view in by_string
    }


def _walk(tree: Any) -> Iterator[Json]:
    """Yield every object in *tree*; iteratively, as it may be deep."""
    open_ = [tree]
    while open_:
        each = open_.pop()
        if isinstance(each, dict):
            yield each
            open_ += each.values()
        elif isinstance(each, list):
            open_ += each


def _open(connection: duckdb.DuckDBPyConnection, files: dict[str, str], request: Json) -> None:
    """Make the views, then forbid everything else for good."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    for view, file in files.items():
        connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet({_text(file)})")
    paths = ", ".join(map(_text, [*files.values(), request["answer"]]))
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _answer(connection: duckdb.DuckDBPyConnection, statement: str, request: Json) -> Json:
    most = request["rows"]
    connection.execute(
        f"CREATE TEMP TABLE answer AS SELECT * FROM ({statement}\n) LIMIT {most + 1}"
    )
    ((count,),) = connection.execute("SELECT count(*) FROM answer").fetchall()
    columns = [
        (row[0], row[1]) for row in connection.execute("DESCRIBE temp.main.answer").fetchall()
    ]
    _write(connection, columns, request)
    return {
        "columns": [{"name": name, "type": kind} for name, kind in columns],
        "rows": min(count, most),
        "truncated": count > most,
    }


def _write(
    connection: duckdb.DuckDBPyConnection, columns: list[tuple[str, str]], request: Json
) -> None:
    target, limit = _text(request["answer"]), f"LIMIT {request['rows']}"
    if request["format"] == "json":
        _write_json(connection, columns, request)
    elif request["format"] == "csv":
        shown = ", ".join(_shown(name, kind, request) for name, kind in columns)
        texts = ", ".join(_name(name) for name, kind in columns if not _is_plain(kind))
        forced = f", FORCE_QUOTE ({texts})" if texts else ""
        connection.execute(
            f"COPY (SELECT {shown} FROM temp.main.answer {limit}) TO {target}"
            f" (FORMAT csv, USE_TMP_FILE false, HEADER true{forced})"
        )
    else:
        connection.execute(
            f"COPY (SELECT * FROM temp.main.answer {limit}) TO {target}"
            " (FORMAT parquet, USE_TMP_FILE false, COMPRESSION zstd)"
        )


def _shown(name: str, kind: str, request: Json) -> str:
    """Return the value for a spreadsheet, which would run a text that looks like a formula."""
    column = _name(name)
    if _is_plain(kind):
        return column
    text = f"CAST({column} AS VARCHAR)"
    formula, number = _text(request["formula"]), _text(request["number"])
    runs = f"regexp_matches({text}, {formula}) AND NOT regexp_full_match({text}, {number})"
    return f"CASE WHEN {runs} THEN chr(39) || {text} ELSE {text} END AS {column}"


def _is_plain(kind: str) -> bool:
    """Return whether a value of *kind* is a number, a moment or the like: no text, and no list."""
    return kind.partition("(")[0] in {
        "BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER",
        "SMALLINT", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TINYINT", "UBIGINT",
        "UHUGEINT", "UINTEGER", "USMALLINT", "UTINYINT", "UUID",
    } and not kind.endswith("]")  # fmt: skip


def _write_json(
    connection: duckdb.DuckDBPyConnection, columns: list[tuple[str, str]], request: Json
) -> None:
    values = ", ".join(_name(name) for name, _ in columns)
    texts = ", ".join(
        f"CAST({_name(name)} AS VARCHAR)" if kind.startswith("DECIMAL") else _name(name)
        for name, kind in columns
    )
    rows = connection.execute(
        f"SELECT CAST(json_array({texts or values}) AS VARCHAR) FROM temp.main.answer"
        f" LIMIT {request['rows']}"
    )
    with Path(request["answer"]).open("w", encoding="utf-8") as file:
        separator = "["
        while chunk := rows.fetchmany(1_000):
            for (text,) in chunk:
                file.write(separator + _strict(text))
                separator = ",\n"
        file.write("]" if separator != "[" else "[]")


def _strict(text: str) -> str:
    """Return *text* as JSON, which knows no NaN and no infinity: they are null there."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(_finite(json.loads(text)), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return value


def _reason(exc: duckdb.Error) -> str:
    """Return what is wrong with the question, without the engine's advice about its settings."""
    return str(exc).partition("\n\nLINE")[0].replace("\n", " ")[:1_000]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _tell(line: Json) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
