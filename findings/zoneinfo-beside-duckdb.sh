#!/usr/bin/env bash
# Two tables of time zones in one process: Python's zoneinfo and DuckDB.
#
# Versions: tzdata 2026.6 (IANA 2026f), DuckDB 2.0.1, CPython's zoneinfo; the older table is that of
# tzdata 2025.2 (IANA 2025b), which is what Debian 12 has in /usr/share/zoneinfo.
#
# One might guess that a program which declares the package tzdata gets its rules. zoneinfo looks at
# the system's folders first, and takes the package only for zones that are missing there: the newer
# package is never read. DuckDB (its ICU extension) asks neither: it brings a table of its own. So
# `datetime.astimezone` and `timezone(…)` in SQL give two days for one instant, in one process:
#
#   zoneinfo, system's table first: 2026-11-26 23:30:00-08:00
#   zoneinfo, the package alone:    2026-11-27 00:30:00-07:00
#   DuckDB 2.0.1:                   2026-11-27 00:30:00
#
# Read the package's files by `ZoneInfo.from_file`, or call `zoneinfo.reset_tzpath(())` first of all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 tzdata==2026.6
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --target "$folder/system" tzdata==2025.2
cat > "$folder/show.py" <<'PYTHON'
from datetime import UTC, datetime
from importlib import metadata
from zoneinfo import ZoneInfo, reset_tzpath

import duckdb

print("tzdata", metadata.version("tzdata"), "duckdb", duckdb.__version__)
at = datetime(2026, 11, 27, 7, 30, tzinfo=UTC)
first = at.astimezone(ZoneInfo("America/Vancouver"))
print("zoneinfo, system's table first:", first)
reset_tzpath(())
ZoneInfo.clear_cache()
alone = at.astimezone(ZoneInfo("America/Vancouver"))
print("zoneinfo, the package alone:   ", alone)
micros = round(at.timestamp() * 1_000_000)
((engine,),) = duckdb.execute(
    "SELECT timezone('America/Vancouver', make_timestamptz(?))", [micros]
).fetchall()
print(f"DuckDB {duckdb.__version__}:                  ", engine)
assert (first.day, first.hour) == (26, 23), first
assert (alone.day, alone.hour) == (27, 0), alone
assert (engine.day, engine.hour) == (27, 0), engine
PYTHON
PYTHONTZPATH="$folder/system/tzdata/zoneinfo" "$folder/venv/bin/python" "$folder/show.py"
