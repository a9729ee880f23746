"""Deletes rows, and counts them in the ledger as `erased`, in one transaction.

What else the file knows from them goes too: cells, dead letters; with a whole site also the sums
that were imported. The bytes of all that stay in the
file until it is compacted, which `uncompacted` asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from analytics import localtime
from analytics.event import Erasure
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import Query
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import hot_window, writing
from analytics.store.sql import compiler, query_plan
from analytics.store.sql.query_shape import QueryShape
from analytics.units import DAY_MS, HOUR_MS

OF_VISITOR: Final = "site = $site AND visitor = $visitor"
OF_SITE: Final = "site = $site"
# A row belongs to the day it happened and to the day its visit began; it goes after both. So no
# figure of a later day changes, and its cells stay true.
_BEFORE: Final = "site = $site AND ts < $before AND (session = 0 OR session_start < $before)"
_OF_VISITS: Final = """site = $site AND (
    session IN (SELECT session FROM chosen WHERE session <> 0)
    OR (session = 0 AND event_id IN (SELECT event_id FROM chosen WHERE session = 0)))"""
_BY_THEN: Final = "received_at <= $until"
_KEPT: Final = "SELECT since FROM kept_since WHERE site = $site AND since >= $before"
_KEEP: Final = """
INSERT INTO kept_since VALUES ($site, $before)
ON CONFLICT DO UPDATE SET since = greatest(since, excluded.since)
"""

_OF_SITES: Final = (
    "cell_visitors",
    "cell_sums",
    "cell_state",
    "goal_cells",
    "kept_since",
    "imports",
    "imported_sums",
)
"""The tables, besides that of rows, that hold figures of a site."""

KEEP_IDS_MS: Final = 3 * DAY_MS
"""How long after receipt the id of an erased row is kept, so that a late copy is dropped."""
_REMEMBER_IDS: Final = """
INSERT INTO erased_ids SELECT site, event_id, received_at FROM rows
WHERE {which} AND received_at >= (SELECT max(received_at) FROM rows) - {keep}
"""
_FORGET_IDS: Final = (
    "DELETE FROM erased_ids WHERE received_at < (SELECT max(received_at) FROM rows)"
    f" - {KEEP_IDS_MS}"
)


class ErasedRows(NamedTuple):
    """The number of deleted rows, and for each site the earliest time whose figures change."""

    rows: int
    earliest: Mapping[str, int]


class MatchingVisits(NamedTuple):
    """The visits that have a row which a query matches, and the number of all their rows."""

    rows: int
    visits: frozenset[int]


class MatchingRows(NamedTuple):
    """A number of rows, and the latest `received_at` of them."""

    rows: int
    newest: int | None


def erase(connection: Connection, which: str, values: Mapping[str, object]) -> ErasedRows:
    """Delete the rows that meet *which*, one of the conditions above."""
    with transaction(connection):
        erased = _erase(connection, which, values)
        _forget_dead_letters(connection, str(values["site"]))
        if which == OF_SITE:
            deleted = _forget_site(connection, str(values["site"]))
            erased = erased._replace(rows=erased.rows + deleted)
    return erased


def count_visits(connection: Connection, query: Query) -> MatchingVisits:
    """Count what `erase_visits` would delete."""
    with _chosen(connection, query) as visits:
        return MatchingVisits(matching(connection, _OF_VISITS, {"site": query.site}).rows, visits)


def erase_visits(connection: Connection, query: Query) -> tuple[MatchingVisits, ErasedRows]:
    """Delete every visit that has a row which *query* matches, as a whole.

    A part of a visit that stayed would still say where the visit came in, and would be counted
    as a visit that never began.
    """
    with transaction(connection), _chosen(connection, query) as visits:
        erased = _erase(connection, _OF_VISITS, {"site": query.site})
        _forget_dead_letters(connection, query.site)
        return MatchingVisits(erased.rows, visits), erased


@contextmanager
def _chosen(connection: Connection, query: Query) -> Iterator[frozenset[int]]:
    """Put the rows that *query* matches into the table `chosen`; yield their visits."""
    matching = compiler.compile_matching(query_plan.from_rows(QueryShape.of(query)))
    connection.run(f"CREATE OR REPLACE TEMP TABLE chosen AS {matching.sql}", matching.values)
    yield frozenset(
        session
        for (session,) in connection.rows("SELECT DISTINCT session FROM chosen WHERE session <> 0")
    )
    connection.run("DROP TABLE chosen")


def obey(connection: Connection, erasure: Erasure, *, offset: int | None = None) -> ErasedRows:
    """Delete the rows that *erasure* concerns, in the caller's transaction.

    They are those of `store.chunks.chunk_erasure`, which does the same to a chunk; a test holds
    them equal. In a log of one partition it leaves what lies behind its own *offset*.
    """
    _forget_dead_letters(connection, erasure.site, erasure.before or erasure.until + 1)
    values: dict[str, object] = {"site": erasure.site, "until": erasure.until}
    concerned = _BY_THEN
    if offset is not None:
        values["offset"] = offset
        concerned = f"{_BY_THEN} AND log_offset < $offset"
    if erasure.before is not None:
        values["before"] = erasure.before
        connection.run(_KEEP, {"site": erasure.site, "before": erasure.before})
        rows = hot_window.retained(connection, erasure.site, erasure.before)
        _forget_cells(connection, erasure.site, "<", erasure.before)
        _forget_goals_of_visits(connection, erasure.site)
        mark(connection)
        return ErasedRows(rows + _delete(connection, f"{_BEFORE} AND {concerned}", values), {})
    if erasure.visitor is not None:
        values["visitor"] = erasure.visitor
        return _erase(connection, f"{OF_VISITOR} AND {concerned}", values)
    erased = _erase(connection, f"{OF_SITE} AND {concerned}", values)
    return erased._replace(rows=erased.rows + _forget_site(connection, erasure.site))


def retain(connection: Connection, site: str, before_ms: int) -> int:
    """Start a site's figures at *before_ms*, and delete the rows that they do not need."""
    values = {"site": site, "before": before_ms}
    with transaction(connection):
        if not due(connection, site, before_ms):
            return 0
        connection.run(_KEEP, values)
        _forget_dead_letters(connection, site, before_ms)
        _forget_cells(connection, site, "<", before_ms)
        _forget_goals_of_visits(connection, site)
        mark(connection)
        return hot_window.retained(connection, site, before_ms) + _delete(
            connection, _BEFORE, values
        )


def due(connection: Connection, site: str, before_ms: int) -> bool:
    """Return whether a site's figures begin before *before_ms*."""
    return not connection.rows(_KEPT, {"site": site, "before": before_ms})


def matching(connection: Connection, which: str, values: Mapping[str, object]) -> MatchingRows:
    """Return the number of rows that meet *which*."""
    ((rows, newest),) = connection.rows(
        f"SELECT count(*), max(received_at) FROM rows WHERE {which}", values
    )
    return MatchingRows(rows, newest)


def _erase(connection: Connection, which: str, values: Mapping[str, object]) -> ErasedRows:
    ((earliest,),) = connection.rows(
        f"SELECT min(least(ts, session_start)) FILTER (bot IS NULL) FROM rows WHERE {which}",
        values,
    )
    site = str(values["site"])
    if "visitor" in values and (deleted := hot_window.erased(connection, site, values["visitor"])):
        earliest = deleted
        mark(connection)
    changed = {} if earliest is None else {site: int(earliest)}
    rows = _delete(connection, which, values)
    if earliest is not None:
        _forget_cells(connection, site, ">=", int(earliest))
    writing.pull_back(connection, changed)
    return ErasedRows(rows, changed)


def _forget_cells(connection: Connection, site: str, side: str, moment: int) -> None:
    """Delete the cells of a site's days that lie on that *side* of the day of *moment*.

    Nothing asks for them any more: days to come are built anew from rows, days before a retention's
    end are no part of the figures.
    """
    for (edition,) in connection.rows("SELECT timezone FROM cell_state WHERE site = ?", [site]):
        day = localtime.day_of(localtime.zone_of(edition), moment)
        for table in ("cell_visitors", "cell_sums"):
            connection.run(f"DELETE FROM {table} WHERE site = ? AND day {side} ?", [site, day])


def _forget_goals_of_visits(connection: Connection, site: str) -> None:
    """Have the cells of goals built anew that look at what else a visit did.

    A part of a visit that spans the end of a retention is gone, and what it did there.
    """
    connection.run("DELETE FROM goal_cells WHERE site = ? AND follows_visits", [site])


def mark(connection: Connection) -> None:
    """Request a rewrite of the file without the rows just deleted."""
    connection.run("INSERT INTO uncompacted VALUES (1)")


def _forget_dead_letters(connection: Connection, site: str, before: int | None = None) -> None:
    """Delete the records that could not be understood and that name *site*.

    Nobody can tell whose they were, so they go with whatever is erased of their site.
    """
    deleted = connection.rows(
        "DELETE FROM dead_letters WHERE contains(hex(payload), hex($site))"
        " AND ($before IS NULL OR received_at < $before) RETURNING 1",
        {"site": site, "before": before},
    )
    if deleted:
        mark(connection)


def _forget_site(connection: Connection, site: str) -> int:
    """Delete all figures of a site; return how many of its rows were already evicted."""
    mark(connection)
    for table in _OF_SITES:
        connection.run(f"DELETE FROM {table} WHERE site = ?", [site])
    return hot_window.forget(connection, site)


def _delete(connection: Connection, which: str, values: Mapping[str, object]) -> int:
    deleted = connection.rows(
        f"SELECT site, received_at // {HOUR_MS} * {HOUR_MS}, count(*)"
        f" FROM rows WHERE {which} GROUP BY ALL",
        values,
    )
    if not deleted:
        return 0
    erased = {
        LedgerKey(site, hour): LedgerLine(0, 0, 0, {}, 0, count) for site, hour, count in deleted
    }
    writing.add_to_ledger(connection, erased)
    connection.run(_FORGET_IDS)
    connection.run(_REMEMBER_IDS.format(which=which, keep=KEEP_IDS_MS), values)
    connection.run(f"DELETE FROM rows WHERE {which}", values)
    mark(connection)
    return sum(int(count) for _, _, count in deleted)
