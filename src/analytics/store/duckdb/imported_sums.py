"""Stores the daily sums of other products, lists them, and takes an import out as a whole.

The sums of a day count once: an import ends where the site's own events begin, and where another
import has sums of the same kind, it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analytics import bounds, localtime
from analytics.errors import Conflict, NotFound
from analytics.imported.daily_sums import SumKind
from analytics.store.base import ImportAdded, ImportedFile, SiteImport
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import row_erasure
from analytics.store.sql.imported_shape import ImportedSpan

_COLUMNS: Final = """
SELECT column_name, data_type FROM duckdb_columns()
WHERE table_name = 'imported_sums' AND column_name NOT IN ('site', 'import')
ORDER BY column_index
"""
_READ: Final = (
    "CREATE OR REPLACE TEMP TABLE incoming AS SELECT {values} FROM read_json($file,"
    " format = 'newline_delimited', compression = 'none', columns = {{{columns}}})"
)
_EMPTY: Final = {"VARCHAR": "''", "MAP(VARCHAR, VARCHAR)": "MAP {}"}
"""The value of a field that a line leaves out, by the type of its column; of others it is 0."""
# Machines may have been here before the first person.
_FIRST_EVENT: Final = "SELECT min(ts) FROM rows WHERE site = ? AND bot IS NULL"
_DAYS: Final = "SELECT count(DISTINCT day) FROM incoming"
_OVERLAP: Final = """
FROM (
    SELECT kind, min(day) AS first, max(day) AS last
    FROM imported_sums WHERE site = ? GROUP BY import, kind
) earlier
"""
_OVERLAPS: Final = (
    "incoming.kind = earlier.kind AND incoming.day BETWEEN earlier.first AND earlier.last"
)
_DAYS_OVERLAPPING: Final = (
    f"SELECT incoming.kind, count(DISTINCT incoming.day) {_OVERLAP}"
    f" JOIN incoming ON {_OVERLAPS} GROUP BY GROUPING SETS ((incoming.kind), ()) ORDER BY 1"
)
"""By kind and, without one, of all kinds together."""
_OVERLAPPING: Final = (
    f"DELETE FROM incoming {_OVERLAP.replace('FROM', 'USING', 1)} WHERE {_OVERLAPS}"
)
_INSERT: Final = f"""
INSERT INTO imports
SELECT $site, $id, $product, $file, $digest, $at, min(day), max(day), count(*),
    coalesce(sum(visitors) FILTER (kind = '{SumKind.VISITORS}'), 0),
    coalesce(sum(pageviews) FILTER (kind = '{SumKind.VISITORS}'), 0)
FROM incoming
"""
_LISTED: Final = """
SELECT id, product, file, imported_at, first_day, last_day, rows, visitors, pageviews
FROM imports WHERE site = ? ORDER BY id
"""


def add(connection: Connection, site: str, timezone: str, added: ImportedFile) -> ImportAdded:
    """Add the sums in *added* that do not count already, all or none of them.

    Raise `Conflict` if the site has as many imports as it may.
    """
    with transaction(connection):
        same = connection.rows(
            "SELECT id FROM imports WHERE site = ? AND digest = ?", [site, added.digest]
        )
        if same:
            return ImportAdded(_one(connection, site, int(same[0][0])), is_new=False)
        _read(connection, added.sums)
        own = _remove_days_with_events(connection, site, timezone)
        overlapping = {kind: int(days) for kind, days in connection.rows(_DAYS_OVERLAPPING, [site])}
        connection.run(_OVERLAPPING, [site])
        ((days,),) = connection.rows(_DAYS)
        number = _keep(connection, site, added) if days else None
        connection.run("DROP TABLE incoming")
        return ImportAdded(
            None if number is None else _one(connection, site, number),
            is_new=number is not None,
            days_with_events=own,
            days_of_other_imports=overlapping.pop(None, 0),
            days_left_out_by_kind=overlapping,
        )


def every(connection: Connection, site: str) -> Sequence[SiteImport]:
    """Return the imports of *site* in the order in which they came."""
    return [SiteImport(*record) for record in connection.rows(_LISTED, [site])]


def remove(connection: Connection, site: str, number: int) -> SiteImport:
    """Delete an import and all its sums; return what it was. Raise `NotFound`."""
    with transaction(connection):
        removed = _one(connection, site, number)
        for table, column in (("imported_sums", "import"), ("imports", "id")):
            connection.run(f"DELETE FROM {table} WHERE site = ? AND {column} = ?", [site, number])
        row_erasure.mark(connection)
    return removed


def spans(connection: Connection, site: str) -> Sequence[ImportedSpan]:
    """Return the days of each import of *site*, the first and the last."""
    return [ImportedSpan(each.first_day, each.last_day) for each in every(connection, site)]


def _one(connection: Connection, site: str, number: int) -> SiteImport:
    imports = every(connection, site)
    for each in imports:
        if each.id == number:
            return each
    ids = ", ".join(str(each.id) for each in imports) or "none"
    raise NotFound(f"{site} has no import {number}; it has {ids}")


def _read(connection: Connection, file: Path) -> None:
    described = connection.rows(_COLUMNS)
    # Names and types come from our own schema, so they may stand in a statement.
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in described)
    values = ", ".join(
        f"coalesce({name}, {_EMPTY.get(kind, '0')}) AS {name}" for name, kind in described
    )
    connection.run(_READ.format(values=values, columns=columns), {"file": str(file)})


def _remove_days_with_events(connection: Connection, site: str, timezone: str) -> int:
    """Remove the days from that of the site's first own event on; return how many there were."""
    ((first,),) = connection.rows(_FIRST_EVENT, [site])
    if first is None:
        return 0
    day = localtime.day_of(timezone, int(first))
    ((own,),) = connection.rows(f"{_DAYS} WHERE day >= ?", [day])
    connection.run("DELETE FROM incoming WHERE day >= ?", [day])
    return int(own)


def _keep(connection: Connection, site: str, added: ImportedFile) -> int:
    """Keep what is left of the incoming sums as a new import; return its number."""
    ((most, count),) = connection.rows(
        "SELECT coalesce(max(id), 0), count(*) FROM imports WHERE site = ?", [site]
    )
    if count >= bounds.IMPORTS:
        raise Conflict(
            f"{site} has {bounds.IMPORTS} imports already, as many as it may; remove one first"
        )
    number = int(most) + 1
    connection.run(
        _INSERT,
        {
            "site": site,
            "id": number,
            "product": added.product,
            "file": added.name,
            "digest": added.digest,
            "at": added.at,
        },
    )
    connection.run("INSERT INTO imported_sums SELECT ?, ?, * FROM incoming", [site, number])
    return number
