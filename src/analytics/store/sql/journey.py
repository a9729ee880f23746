"""A journey as SQL: which stops visits made next to an event, level by level.

A journey begins (or ends) at a visit's first event that the start matches. Its stops are the
visit's pageviews, and its custom events where they are asked for, each as often as it happened.
"""

from __future__ import annotations

from typing import Final

from analytics.exploration import JourneyQuery
from analytics.store.sql import event_scan
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import place_sql

KEYS: Final = ("level", "before", "stop")
SUMS: Final = ("visits",)
PAGE: Final = "p"
"""The first character of a stop that is a page; its path follows."""
EVENT: Final = "e"
"""The first character of a stop that is a custom event; its name follows."""
OTHER: Final = "o"
"""All stops that are not named."""
_STOP: Final = f"CASE WHEN r.name = 'pageview' THEN '{PAGE}' || r.path ELSE '{EVENT}' || r.name END"


def additive(exploration: JourneyQuery, bound: BoundValues) -> str:
    """Return a select of `KEYS` and `SUMS`, which add up over disjoint sets of visitors.

    At level 0, `before` is empty.
    """
    scan = event_scan.of_visits(exploration, bound)
    (start,) = scan.steps
    is_stop = "true" if exploration.events else "r.name = 'pageview'"
    step, direction = (">=", "") if exploration.forward else ("<=", " DESC")
    begins = (
        f"SELECT r.session AS visit, min({place_sql('r')}) AS place, min(r.ts) AS ts"
        f" FROM {scan.rows}"
        f" WHERE {scan.where} AND {start} GROUP BY r.session"
    )
    stops = (
        f"SELECT r.session AS visit, {place_sql('r')} AS place, {_STOP} AS stop"
        f" FROM {scan.rows} JOIN begins b ON b.visit = r.session"
        # The time alone is compared first: the place is a wider number, made for each row.
        f" WHERE {scan.where} AND r.ts {step} b.ts"
        f" AND ({is_stop} OR {place_sql('r')} = b.place) AND {place_sql('r')} {step} b.place"
    )
    numbered = (
        "SELECT row_number() OVER w - 1 AS level, coalesce(lag(stop) OVER w, '') AS before, stop"
        f" FROM stops WINDOW w AS (PARTITION BY visit ORDER BY place{direction})"
    )
    tables = [
        *scan.tables,
        f"begins AS MATERIALIZED ({begins})",
        f"stops AS ({stops})",
        f"numbered AS ({numbered})",
    ]
    return (
        f"{with_sql(tables)}SELECT level, before, stop, count(*) AS visits FROM numbered"
        f" WHERE level <= {bound(exploration.levels)} GROUP BY level, before, stop"
    )


def folded(exploration: JourneyQuery, sums: str, bound: BoundValues) -> str:
    """Return a select of the same columns of *sums* (SQL), with rare stops replaced by "others".

    The stops of most visits are named; of equals, those first by name.
    """
    most = bound(exploration.most)
    return (
        f"WITH sums AS MATERIALIZED ({sums}),"
        " places AS (SELECT level, stop, row_number() OVER (PARTITION BY level"
        " ORDER BY sum(visits) DESC, stop) AS place FROM sums GROUP BY level, stop)"
        f" SELECT s.level, CASE WHEN b.place > {most} THEN '{OTHER}' ELSE s.before END AS before,"
        f" CASE WHEN p.place > {most} THEN '{OTHER}' ELSE s.stop END AS stop,"
        " CAST(sum(s.visits) AS BIGINT) AS visits"
        " FROM sums s JOIN places p ON p.level = s.level AND p.stop = s.stop"
        " LEFT JOIN places b ON b.level = s.level - 1 AND b.stop = s.before"
        " GROUP BY 1, 2, 3 ORDER BY level, visits DESC, before, stop"
    )
