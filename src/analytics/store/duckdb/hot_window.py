"""The hot window: a replica evicts the rows of old days, and keeps what its answers need of them.

Cells hold the figures of whole days, so queries that cells answer need no rows of those days. For
each visitor of evicted days the last active day is kept by key (`last_seen`), because cells and
open days count visitors by the days since their last activity. Any other query about an evicted
day raises `RowsEvicted`: the Spark job, which has all rows, must answer it.
"""

from __future__ import annotations

from typing import Final

from analytics import localtime
from analytics.errors import StoreUnavailable
from analytics.exploration import Exploration, RetentionQuery
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import Period, Query
from analytics.store.connection import Connection, transaction
from analytics.store.duckdb import site_state, writing
from analytics.store.duckdb.site_state import HotWindow, SiteState
from analytics.store.sql import cells
from analytics.store.sql.active_days import active_days
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.query_plan import QueryPlan
from analytics.units import HOUR_MS
from analytics.visitor_id import COOKIELESS

QUARTER_MS: Final = 15 * 60_000
"""In every time zone, days begin at a multiple of this."""
_SALT_DAYS: Final = 2
"""The number of a site's days over which the id of a visitor without a cookie may recur."""

_BEFORE: Final = "site = $site AND ts < $before AND (session = 0 OR session_start < $before)"
_MOMENT: Final = "CASE WHEN session = 0 THEN ts ELSE greatest(ts, session_start) END"


class RowsEvicted(StoreUnavailable):
    """A question needs rows that were evicted; *asked* is the one to send to the job."""

    def __init__(self, asked: Query | Exploration, since: int, kept_since: int) -> None:
        day = localtime.date_of(localtime.day_of(asked.period.timezone, since))
        super().__init__(f"the days before {day} of {asked.site} are not on this replica")
        self.asked = asked
        self.day = day
        self.kept_since = kept_since


def check(connection: Connection, state: SiteState, plan: QueryPlan) -> None:
    """Raise `RowsEvicted` unless this replica has the cells and the rows that *plan* needs."""
    window, query = state.window, plan.shape.query
    if window is None:
        return
    if query.period.start >= window.since:
        complete = not (plan.shape.follows_visits and _began_before(connection, window, query))
    else:
        complete = plan.clean is not None and plan.clean.end_ms >= min(
            window.since, query.period.end
        )
    if not complete:
        raise RowsEvicted(query, window.since, state.kept_since)


def check_exploration(
    connection: Connection, state: SiteState, asked: Exploration, *, follows_visits: bool
) -> None:
    """Raise `RowsEvicted` unless this replica has the rows from which *asked* is answered.

    When a visitor was first seen, only all rows tell.
    """
    window = state.window
    if window is None:
        return
    complete = not isinstance(asked, RetentionQuery) and asked.period.start >= window.since
    if not complete or (follows_visits and _began_before(connection, window, asked)):
        raise RowsEvicted(asked, window.since, state.kept_since)


def can_build(window: HotWindow, timezone: str, first: int) -> bool:
    """Return whether the cells of the days from *first* on can be built from the rows left."""
    return timezone == window.timezone and first >= localtime.day_of(timezone, window.since)


def _began_before(connection: Connection, window: HotWindow, query: Query | Exploration) -> bool:
    """Return whether a visit with rows in the period began on an evicted day."""
    ((count,),) = connection.rows(
        "SELECT count(*) FROM rows WHERE site = $site AND session <> 0"
        " AND ts >= $start AND ts < $end AND session_start < $since",
        {
            "site": query.site,
            "start": query.period.start,
            "end": query.period.end,
            "since": window.since,
        },
    )
    return bool(count)


def trim(connection: Connection, site: str, timezone: str, before_ms: int) -> int:
    """Evict rows of days that ended by *before_ms* and have valid cells; return how many."""
    state = site_state.read(connection, site)
    if state.cells is None or state.cells.edition != localtime.edition(timezone):
        return 0
    before = localtime.day_start(
        timezone, localtime.day_of(timezone, min(before_ms, state.cells.until))
    )
    window = state.window
    if window is not None and before <= window.since:
        return 0
    values: dict[str, object] = {"site": site, "before": before}
    with transaction(connection):
        ((count, first),) = connection.rows(
            f"SELECT count(*), min(ts) FROM rows WHERE {_BEFORE}", values
        )
        if not count:
            return 0
        if window is not None:
            first = min(first, window.first_event)
        _remember(connection, site, timezone, first, before)
        connection.run(
            f"INSERT INTO gone_rows SELECT site, {_MOMENT} // {QUARTER_MS} * {QUARTER_MS},"
            f" received_at // {HOUR_MS} * {HOUR_MS}, count(*) FROM rows WHERE {_BEFORE}"
            " GROUP BY ALL",
            values,
        )
        connection.run(f"DELETE FROM rows WHERE {_BEFORE}", values)
        connection.run(
            "INSERT INTO windows VALUES ($site, $before, $timezone, $first) ON CONFLICT DO UPDATE"
            " SET since = excluded.since, timezone = excluded.timezone,"
            " first_event = excluded.first_event",
            {**values, "timezone": timezone, "first": first},
        )
    return int(count)


def _remember(connection: Connection, site: str, timezone: str, first: int, before: int) -> None:
    """Record the last active day of each visitor, before the rows that show it are evicted."""
    period = Period(first, before, timezone)
    day = localtime.day_of(timezone, before)
    for dimension in (cells.TOTAL, *cells.DIMENSIONS):
        bound = BoundValues(site)
        active = active_days(period, dimension, bound)
        named = bound(dimension)
        # A visitor id without a cookie cannot recur once its salt is deleted.
        fresh = f"(visitor < {COOKIELESS} OR day >= {bound(day - _SALT_DAYS)})"
        seen = bound.statement(
            f"CREATE OR REPLACE TEMP TABLE seen AS SELECT site, dimension, value, visitor,"
            f" max(day) AS day FROM (SELECT site, dimension, value, visitor, day FROM last_seen"
            f" WHERE site = $site AND dimension = {named} UNION ALL SELECT $site, {named},"
            f" value, visitor, CAST(day AS INTEGER) FROM ({active})) WHERE {fresh} GROUP BY ALL"
        )
        connection.run(*seen)
        connection.run("DELETE FROM last_seen WHERE site = ? AND dimension = ?", [site, dimension])
        connection.run("INSERT INTO last_seen SELECT * FROM seen")
    connection.run("DROP TABLE seen")
    bound = BoundValues(site)
    active = active_days(period, cells.TOTAL, bound)
    days = bound.statement(
        "INSERT INTO cookieless_days SELECT DISTINCT $site, CAST(day AS INTEGER)"
        f" FROM ({active}) WHERE visitor >= {COOKIELESS}"
    )
    connection.run(*days)


def retained(connection: Connection, site: str, before_ms: int) -> int:
    """Count the evicted rows that retention deletes as erased; return how many.

    Runs in the caller's transaction.
    """
    values = {"site": site, "before": before_ms}
    deleted = connection.rows(
        "SELECT hour, sum(rows) FROM gone_rows WHERE site = $site AND moment < $before GROUP BY 1",
        values,
    )
    erased = {LedgerKey(site, hour): LedgerLine(0, 0, 0, {}, 0, int(n)) for hour, n in deleted}
    writing.add_to_ledger(connection, erased)
    connection.run("DELETE FROM gone_rows WHERE site = $site AND moment < $before", values)
    hot = site_state.window(connection, site)
    if hot is not None:
        day = localtime.day_of(hot.timezone, before_ms)
        for table in ("last_seen", "cookieless_days"):
            connection.run(f"DELETE FROM {table} WHERE site = ? AND day < ?", [site, day])
    return sum(int(count) for _, count in deleted)


def erased(connection: Connection, site: str, visitor: object) -> int | None:
    """Delete what is kept of a visitor; return the moment (ms) from which cells may be wrong.

    Runs in the caller's transaction. It is not known which evicted rows were the visitor's.
    """
    connection.run("DELETE FROM last_seen WHERE site = ? AND visitor = ?", [site, visitor])
    hot = site_state.window(connection, site)
    return None if hot is None else hot.first_event


def forget(connection: Connection, site: str) -> int:
    """Delete what is kept of *site*; return how many evicted rows now count as erased.

    Runs in the caller's transaction.
    """
    deleted = retained(connection, site, localtime.LATEST)
    for table in ("windows", "last_seen", "cookieless_days"):
        connection.run(f"DELETE FROM {table} WHERE site = ?", [site])
    return deleted
