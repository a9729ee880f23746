#!/usr/bin/env bash
# One distinct count over many values, with a group of all rows and without one, in DuckDB.
#
# Version: DuckDB 2.0.1, two threads, a memory limit of 1 GB, a table of 60 million 64-bit values in
# a file, with room on disk.
#
# One might guess that SELECT count(DISTINCT x) FROM t needs no more memory than the same with
# GROUP BY 'all', a constant: both are one group. Only the second goes to disk when it has to:
#
#   count(DISTINCT x)                    Out of Memory Error
#   count(DISTINCT x) … GROUP BY 'all'   60000000
#   count(*) of SELECT DISTINCT x        60000000
#
# Mind that a constant group has no row where there are no rows. It takes some minutes, and 1 GB of
# disk.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
cat > "$folder/count.py" <<'PYTHON'
import sys

import duckdb

FILE = sys.argv[1]
ROWS = 60_000_000
with duckdb.connect(FILE, config={"threads": 2}) as filling:
    filling.execute(f"CREATE TABLE t AS SELECT hash(i) AS x FROM range({ROWS}) AS r(i)")


def counted(sql: str) -> int | None:
    """What *sql* counts; None when the limit is too little."""
    with duckdb.connect(FILE, config={"threads": 2, "memory_limit": "1GB"}) as connection:
        try:
            return connection.execute(sql).fetchone()[0]
        except duckdb.OutOfMemoryException as exc:
            print("  ", str(exc).partition("\n")[0])
            return None


print("duckdb", duckdb.__version__)
seen = []
for sql in (
    "SELECT count(DISTINCT x) FROM t",
    "SELECT count(DISTINCT x) FROM t GROUP BY 'all'",
    "SELECT count(*) FROM (SELECT DISTINCT x FROM t)",
):
    print(sql, flush=True)
    seen.append(counted(sql))
    print("  ", seen[-1], flush=True)
sys.exit(seen != [None, ROWS, ROWS])
PYTHON
"$folder/venv/bin/python" "$folder/count.py" "$folder/t.duckdb"
