#!/usr/bin/env bash
# Where the bytes of deleted rows are after every kind of checkpoint and vacuum, in DuckDB.
#
# Version: DuckDB 2.0.1, a file with 500,000 rows of which 500 are deleted. The columns are not
# compressed, so that the bytes can be searched for; compression only hides them from a search.
#
# One might guess that FORCE CHECKPOINT or VACUUM, or at least writing the table anew, takes deleted
# rows out of the file. None of them does: blocks that are free keep what they held. The bytes of
# the deleted rows are in the file
#
#   after DELETE                        yes
#   after CHECKPOINT                    yes
#   after FORCE CHECKPOINT              yes
#   after VACUUM                        yes
#   after VACUUM ANALYZE                yes
#   after CREATE OR REPLACE … AS SELECT yes
#   after closing and opening it        yes
#   in a COPY FROM DATABASE of it       no
#
# So only a copy, put in the place of the file, is a file without them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
cat > "$folder/erase.py" <<'PYTHON'
import sys
from pathlib import Path

import duckdb

FILE, COPY = Path(sys.argv[1]) / "t.duckdb", Path(sys.argv[1]) / "copy.duckdb"
MARK = "visitor-0123456789abcdef"
STEPS = (
    "DELETE FROM t WHERE starts_with(text, 'visitor-')",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "VACUUM ANALYZE",
    "CREATE OR REPLACE TABLE t AS SELECT * FROM t",
    "FORCE CHECKPOINT",
)


def held(path: Path) -> bool:
    """Whether the mark is in the file or in its log."""
    files = [path, path.with_name(f"{path.name}.wal")]
    said = any(MARK.encode() in file.read_bytes() for file in files if file.exists())
    print("   the deleted rows are in the file:", "yes" if said else "no", flush=True)
    return said


def step(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    print(sql)
    connection.execute(sql)
    return held(FILE)


print("duckdb", duckdb.__version__)
with duckdb.connect(str(FILE)) as connection:
    connection.execute("SET force_compression = 'uncompressed'")
    connection.execute(
        f"CREATE TABLE t AS SELECT i, CASE WHEN i % 1000 = 0 THEN '{MARK}' ELSE 'page' END || i"
        " AS text FROM range(500_000) AS r(i)"
    )
seen = []
with duckdb.connect(str(FILE)) as connection:
    seen += [step(connection, sql) for sql in STEPS]
with duckdb.connect(str(FILE)) as connection:
    seen.append(step(connection, "FORCE CHECKPOINT"))
    left = connection.execute("SELECT count(*) FROM t WHERE starts_with(text, 'visitor-')")
    assert left.fetchone() == (0,)
with duckdb.connect() as connection:
    connection.execute(f"ATTACH '{FILE}' AS old (READ_ONLY)")
    connection.execute(f"ATTACH '{COPY}' AS new")
    print("COPY FROM DATABASE old TO new")
    connection.execute("COPY FROM DATABASE old TO new")
    assert connection.execute("SELECT count(*) FROM new.t").fetchone() == (499_500,)
seen.append(held(COPY))
sys.exit(seen != [True] * (len(STEPS) + 1) + [False])
PYTHON
mkdir "$folder/data"
"$folder/venv/bin/python" "$folder/erase.py" "$folder/data"
