#!/usr/bin/env bash
# DuckDB: a product of two DECIMALs of at most 18 digits does not widen beyond 18 digits
#
# The product of DECIMAL(w1, s1) and DECIMAL(w2, s2) is DECIMAL(w1 + w2, s1 + s2), as in other databases, as long
# as that fits into 18 digits. Beyond, if neither factor alone has more than 18 digits, the type stays at 18
# digits, and the statement fails at run time when a value needs more: 999999999.99999999 (17 digits, declared with 18)
# times 100000000 is "out of range", though DECIMAL goes up to 38 digits. Declared with one digit more, DECIMAL(19, 8),
# the same value times the same number is answered. So money times a scale works in every test with small amounts,
# and fails on the day of a large one; widen one factor first.
#
# Output seen with 2.0.1:
#   declared DECIMAL(18,8): type DECIMAL(18,8), Out of Range Error
#   declared DECIMAL(19,8): type DECIMAL(29,8), 99999999999999999.00000000
set -euo pipefail

VERSION=2.0.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "duckdb==$VERSION"
"$work/venv/bin/python" - <<'PY'
import sys

import duckdb



def first(sql):
    return duckdb.execute(sql).fetchall()[0][0]


print("DuckDB", duckdb.__version__)
seen = []
for width in (18, 19):
    factor = f"CAST('999999999.99999999' AS DECIMAL({width}, 8))"
    kind = first(f"SELECT typeof(CAST(1 AS DECIMAL({width}, 8)) * 100000000)")
    try:
        answer = str(first(f"SELECT {factor} * 100000000"))
    except duckdb.OutOfRangeException:
        answer = "Out of Range Error"
    print(f"declared DECIMAL({width},8): type {kind}, {answer}")
    seen.append((kind, answer))
sys.exit(
    seen
    != [
        ("DECIMAL(18,8)", "Out of Range Error"),
        ("DECIMAL(29,8)", "99999999999999999.00000000"),
    ]
)
PY
