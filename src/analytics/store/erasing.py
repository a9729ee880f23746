"""How rows are deleted: out of the table, into the ledger's `erased`, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from analytics.event import Erasure
from analytics.pipeline.ledger import HOUR_MS, LedgerKey, LedgerLine
from analytics.store import window, writing
from analytics.store.connection import Connection, transaction

OF_VISITOR: Final = "site = $site AND visitor = $visitor"
OF_SITE: Final = "site = $site"
# A row belongs to the day it happened and to the day its visit began; it goes after both. So no
# figure of a later day changes, and its cells stay true.
_BEFORE: Final = "site = $site AND ts < $before AND (session = 0 OR session_start < $before)"
_BY_THEN: Final = "received_at <= $until"
_KEPT: Final = "SELECT since FROM kept_since WHERE site = $site AND since >= $before"
_KEEP: Final = """
INSERT INTO kept_since VALUES ($site, $before)
ON CONFLICT DO UPDATE SET since = greatest(since, excluded.since)
"""


class Erased(NamedTuple):
    """How many rows went, and for each site the earliest moment whose figures change."""

    rows: int
    earliest: Mapping[str, int]


class Matching(NamedTuple):
    """How many rows there are, and the latest `received_at` of them."""

    rows: int
    newest: int | None


def erase(connection: Connection, which: str, values: Mapping[str, object]) -> Erased:
    """Delete the rows that meet *which*, one of the conditions above."""
    with transaction(connection):
        erased = _erase(connection, which, values)
        if which == OF_SITE:
            gone = _forget_site(connection, str(values["site"]))
            erased = erased._replace(rows=erased.rows + gone)
    return erased


def obey(connection: Connection, erasure: Erasure) -> Erased:
    """Delete the rows that *erasure* concerns, in the caller's transaction.

    They are those of `store.rewriting`, which does the same to a chunk; a test holds them equal.
    """
    values: dict[str, object] = {"site": erasure.site, "until": erasure.until}
    if erasure.before is not None:
        values["before"] = erasure.before
        connection.run(_KEEP, {"site": erasure.site, "before": erasure.before})
        rows = window.retained(connection, erasure.site, erasure.before)
        return Erased(rows + _delete(connection, f"{_BEFORE} AND {_BY_THEN}", values), {})
    if erasure.visitor is not None:
        values["visitor"] = erasure.visitor
        return _erase(connection, f"{OF_VISITOR} AND {_BY_THEN}", values)
    erased = _erase(connection, f"{OF_SITE} AND {_BY_THEN}", values)
    return erased._replace(rows=erased.rows + _forget_site(connection, erasure.site))


def retain(connection: Connection, site: str, before_ms: int) -> int:
    """Let a site's figures begin at *before_ms*, and delete the rows that none needs then."""
    values = {"site": site, "before": before_ms}
    with transaction(connection):
        if not due(connection, site, before_ms):
            return 0
        connection.run(_KEEP, values)
        return window.retained(connection, site, before_ms) + _delete(connection, _BEFORE, values)


def due(connection: Connection, site: str, before_ms: int) -> bool:
    """Whether a site's figures begin before *before_ms*."""
    return not connection.rows(_KEPT, {"site": site, "before": before_ms})


def matching(connection: Connection, which: str, values: Mapping[str, object]) -> Matching:
    """The rows that meet *which*, counted."""
    ((rows, newest),) = connection.rows(
        f"SELECT count(*), max(received_at) FROM rows WHERE {which}", values
    )
    return Matching(rows, newest)


def _erase(connection: Connection, which: str, values: Mapping[str, object]) -> Erased:
    ((earliest,),) = connection.rows(
        f"SELECT min(least(ts, session_start)) FILTER (bot IS NULL) FROM rows WHERE {which}",
        values,
    )
    site = str(values["site"])
    if "visitor" in values and (gone := window.erased(connection, site, values["visitor"])):
        earliest = gone
    changed = {} if earliest is None else {site: int(earliest)}
    rows = _delete(connection, which, values)
    writing.pull_back(connection, changed)
    return Erased(rows, changed)


def _forget_site(connection: Connection, site: str) -> int:
    """Leave nothing of its figures; how many rows of it were gone from here already."""
    for table in ("cell_visitors", "cell_sums", "cell_state", "kept_since"):
        connection.run(f"DELETE FROM {table} WHERE site = ?", [site])
    return window.forget(connection, site)


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
