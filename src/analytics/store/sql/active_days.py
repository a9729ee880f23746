"""The days on which each visitor was active, from which cells and `last_seen` are built."""

from __future__ import annotations

from typing import NamedTuple

from analytics import localtime
from analytics.query import Period
from analytics.store.sql import columns
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import column_sql, local_ms_sql
from analytics.store.sql.row_selects import last_seen_sql
from analytics.units import DAY_MS


class GoalKey(NamedTuple):
    """The key of a goal's cells, and the condition (SQL) under which the row `r` reaches it."""

    key: str
    reached: str


def active_days(
    period: Period,
    dimension: str,
    bound: BoundValues,
    *,
    seen_since: int | None = None,
    evicted: bool = False,
    goal: GoalKey | None = None,
) -> str:
    """Return a select of `value`, `visitor` and `day` for each day of *period* with activity.

    *dimension* is one of `cells.DIMENSIONS`, or `columns.TOTAL` with the value ''; or *goal* is
    given, and activity is what reaches it. Pings and bots do not count. With *seen_since* (ms), the
    last day of these visitors' activity between then and the period is added; with *evicted*, what
    `last_seen` has of them, too.
    """
    whole = dimension == columns.TOTAL
    zone = period.timezone
    since = period.start if seen_since is None else min(seen_since, period.start)
    local = local_ms_sql("r.ts", localtime.changes(zone, since, period.end))
    value = "''" if whole else column_sql(dimension, "r", bound)
    if goal is not None:
        value = bound(goal.key)
    shown = f"{value} AS value, r.visitor AS visitor"
    day = f"{local} // {DAY_MS} AS day"
    start = bound(period.start)
    where = "r.site = $site AND r.bot IS NULL AND r.name <> 'engagement'"
    if goal is not None:
        where += f" AND {goal.reached}"
    within = f"{where} AND r.ts >= {start} AND r.ts < {bound(period.end)}"
    visitors = f"SELECT r.visitor FROM rows r WHERE {within}"
    selects = [f"SELECT DISTINCT {shown}, {day} FROM rows r WHERE {within}"]
    if evicted:
        last_seen = last_seen_sql((() if whole else (dimension,)), visitors, bound)
        selects.append(f"SELECT {value if whole else 'k0'}, visitor, day FROM ({last_seen})")
    if since < period.start:
        selects.append(
            f"SELECT {shown}, max({local} // {DAY_MS}) AS day FROM rows r WHERE {where}"
            f" AND r.ts >= {bound(since)} AND r.ts < {start} AND r.visitor IN ({visitors})"
            " GROUP BY 1, 2"
        )
    return " UNION ALL ".join(selects)
