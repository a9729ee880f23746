"""How rows are deleted: out of the table, into the ledger's `erased`, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from analytics.pipeline.ledger import HOUR_MS, LedgerKey, LedgerLine
from analytics.store import writing
from analytics.store.connection import Connection, transaction

OF_VISITOR: Final = "site = $site AND visitor = $visitor"
OF_SITE: Final = "site = $site"
# Visits go whole, so that none is left without its beginning.
BEFORE: Final = """site = $site AND (CASE WHEN session = 0 THEN ts ELSE session_start END)
    < $before"""


class Erased(NamedTuple):
    """How many rows went, and for each site the earliest moment whose figures change."""

    rows: int
    earliest: Mapping[str, int]


def erase(connection: Connection, which: str, values: Mapping[str, object]) -> Erased:
    """Delete the rows that meet *which*, one of the conditions above."""
    with transaction(connection):
        gone = connection.rows(
            f"SELECT site, received_at // {HOUR_MS} * {HOUR_MS}, count(*),"
            " min(least(ts, session_start)) FILTER (bot IS NULL)"
            f" FROM rows WHERE {which} GROUP BY ALL",
            values,
        )
        erased = {
            LedgerKey(site, hour): LedgerLine(0, 0, 0, {}, 0, count)
            for site, hour, count, _ in gone
        }
        writing.add_to_ledger(connection, erased)
        connection.run(f"DELETE FROM rows WHERE {which}", values)
        earliest: dict[str, int] = {}
        for site, _, _, moment in gone:
            if moment is not None:
                earliest[site] = min(moment, earliest.get(site, moment))
        writing.pull_back(connection, earliest)
        if which == OF_SITE:
            for table in ("cell_visitors", "cell_sums", "cell_state"):
                connection.run(f"DELETE FROM {table} WHERE {OF_SITE}", values)
    return Erased(sum(line.erased for line in erased.values()), earliest)
