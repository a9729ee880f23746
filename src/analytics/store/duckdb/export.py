"""Exports a site's rows to a file, under the field names of the event.

A spreadsheet runs a cell of CSV that looks like a formula, and visitors choose what is in cells. So
such a text gets an apostrophe in front, as OWASP advises, and every text is quoted, so that no
other separator than the comma can begin a cell. The other formats hold all as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import fields

from analytics import localtime
from analytics.errors import StoreUnavailable
from analytics.event import Row
from analytics.store.base import ExportFormat
from analytics.store.connection import Connection
from analytics.store.duckdb import site_state

_NAMES: Final = [field.name for field in fields(Row)]
COLUMNS: Final = tuple(_NAMES[: _NAMES.index("bot") + 1])
"""The event as received; columns that the pipeline adds are left out, since it can redo them."""

_TEXTS: Final = tuple(
    field.name
    for field in fields(Row)
    if field.name in COLUMNS
    and field.type in (str, str | None)
    and field.name not in ("event_id", "revenue")
)
FORMULA: Final = r"^\s*[=+\-@\t\r\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""The last four are full-width forms of the first, which spreadsheets treat alike."""
NUMBER: Final = "[+-]?[0-9]+([.][0-9]+)?"
_OPTIONS: Final = {
    ExportFormat.NDJSON: "FORMAT json",
    ExportFormat.CSV: f"FORMAT csv, HEADER true, FORCE_QUOTE ({', '.join((*_TEXTS, 'props'))})",
    ExportFormat.PARQUET: "FORMAT parquet, COMPRESSION zstd",
}
_TIMES: Final = ("ts", "received_at")


def export(
    connection: Connection,
    site: str,
    from_ms: int,
    to_ms: int,
    kind: ExportFormat,
    path: Path,
    visitor: int | None = None,
) -> int:
    """Write the rows of [from_ms, to_ms), or one *visitor*'s, to *path*; return their number."""
    hot = site_state.window(connection, site)
    if hot is not None and from_ms < hot.since:
        day = localtime.date_of(localtime.day_of(hot.timezone, hot.since))
        raise StoreUnavailable(
            f"the rows of {site} before {day} are not on this replica: export from then on, or on"
            " a replica with store.hot_days = 0"
        )
    partial = path.with_name(path.name + ".partial")
    shown = ", ".join(_column(name, kind) for name in COLUMNS)
    target = str(partial).replace("'", "''")
    try:
        ((count,),) = connection.rows(
            f"COPY (SELECT {shown} FROM rows WHERE site = $site AND ts >= $from AND ts < $to"
            " AND ($visitor IS NULL OR visitor = $visitor))"
            f" TO '{target}' ({_OPTIONS[kind]})",
            {"site": site, "from": from_ms, "to": to_ms, "visitor": visitor},
        )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return int(count)


def _column(name: str, kind: ExportFormat) -> str:
    if name in _TIMES:
        return f"strftime(epoch_ms({name}), '%Y-%m-%dT%H:%M:%S.%gZ') AS {name}"
    if kind is ExportFormat.CSV:
        if name == "props":
            return "to_json(props) AS props"
        if name in _TEXTS:
            begins = f"regexp_matches({name}, '{FORMULA}')"
            formula = f"{begins} AND NOT regexp_full_match({name}, '{NUMBER}')"
            return f"CASE WHEN {formula} THEN chr(39) || {name} ELSE {name} END AS {name}"
    return name
