"""How rows are deleted: out of the table, into the ledger's `erased`, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from analytics.pipeline.ledger import HOUR_MS, LedgerKey, LedgerLine
from analytics.store import writing
from analytics.store.connection import Connection, transaction

OF_VISITOR: Final = "site = $site AND visitor = $visitor"
OF_SITE: Final = "site = $site"
# A row belongs to the day it happened and to the day its visit began; it goes after both. So no
# figure of a later day changes, and its cells stay true.
_BEFORE: Final = "site = $site AND ts < $before AND (session = 0 OR session_start < $before)"
_KEPT: Final = "SELECT since FROM kept_since WHERE site = $site AND since >= $before"
_KEEP: Final = """
INSERT INTO kept_since VALUES ($site, $before)
ON CONFLICT DO UPDATE SET since = greatest(since, excluded.since)
"""


class Erased(NamedTuple):
    """How many rows went, and for each site the earliest moment whose figures change."""

    rows: int
    earliest: Mapping[str, int]


def erase(connection: Connection, which: str, values: Mapping[str, object]) -> Erased:
    """Delete the rows that meet *which*, one of the conditions above."""
    with transaction(connection):
        ((earliest,),) = connection.rows(
            f"SELECT min(least(ts, session_start)) FILTER (bot IS NULL) FROM rows WHERE {which}",
            values,
        )
        changed = {} if earliest is None else {str(values["site"]): int(earliest)}
        rows = _delete(connection, which, values)
        writing.pull_back(connection, changed)
        if which == OF_SITE:
            for table in ("cell_visitors", "cell_sums", "cell_state", "kept_since"):
                connection.run(f"DELETE FROM {table} WHERE {OF_SITE}", values)
    return Erased(rows, changed)


def retain(connection: Connection, site: str, before_ms: int) -> int:
    """Let a site's figures begin at *before_ms*, and delete the rows that none needs then."""
    values = {"site": site, "before": before_ms}
    with transaction(connection):
        if connection.rows(_KEPT, values):
            return 0
        connection.run(_KEEP, values)
        return _delete(connection, _BEFORE, values)


def _delete(connection: Connection, which: str, values: Mapping[str, object]) -> int:
    gone = connection.rows(
        f"SELECT site, received_at // {HOUR_MS} * {HOUR_MS}, count(*)"
        f" FROM rows WHERE {which} GROUP BY ALL",
        values,
    )
    if not gone:
        return 0
    erased = {
        LedgerKey(site, hour): LedgerLine(0, 0, 0, {}, 0, count) for site, hour, count in gone
    }
    writing.add_to_ledger(connection, erased)
    connection.run(f"DELETE FROM rows WHERE {which}", values)
    return sum(count for _, _, count in gone)
