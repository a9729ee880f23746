"""Retention as SQL: when visitors with a cookie were first seen, and when they came back.

First is the first of all stored events that the filters match, before the period too. A visitor
whose first event lies before the period is in no cohort.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from analytics import localtime
from analytics.exploration import RetentionQuery, RetentionUnit
from analytics.store.sql import event_scan
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import local_ms_sql
from analytics.units import DAY_MS
from analytics.visitor_id import COOKIELESS

KEYS: Final = ("cohort", "later")
"""The bucket in which visitors were first seen, and the number of buckets until they returned."""
SUMS: Final = ("visitors",)
BEFORE: Final = -1
"""The bucket of all that lies before the period; as a cohort, visitors without a cookie."""


def additive(exploration: RetentionQuery, kept_since: int, bound: BoundValues) -> str:
    """Return a select of `KEYS` and `SUMS`, which add up over disjoint sets of visitors.

    Events before *kept_since* (ms) are not stored any more.
    """
    period = exploration.period
    start, end = bound(period.start), bound(period.end)
    cookieless = bound(COOKIELESS)
    stored = f"r.ts >= {bound(kept_since)} AND r.ts < {end} AND r.visitor < {cookieless}"
    strange = f"r.ts >= {start} AND r.ts < {end} AND r.visitor >= {cookieless}"
    scan = event_scan.of(exploration, kept_since, stored, bound)
    strangers = event_scan.of(exploration, kept_since, strange, bound)
    offsets = localtime.changes(period.timezone, period.start, period.end)
    bucket = _bucket(exploration.unit, f"({local_ms_sql('r.ts', offsets)} // {DAY_MS})")
    buckets_seen = (
        "SELECT DISTINCT r.visitor AS visitor,"
        f" CASE WHEN r.ts < {start} THEN {BEFORE} ELSE {bucket} END AS bucket"
        f" FROM {scan.rows} WHERE {scan.where}"
    )
    cohorts = (
        "SELECT visitor, min(bucket) AS cohort FROM seen GROUP BY visitor"
        f" HAVING min(bucket) > {BEFORE}"
    )
    tables = [*scan.tables, f"seen AS MATERIALIZED ({buckets_seen})", f"cohorts AS ({cohorts})"]
    return (
        f"{with_sql(tables)}SELECT cohort, bucket - cohort AS later, count(*) AS visitors"
        " FROM seen JOIN cohorts USING (visitor) GROUP BY ALL UNION ALL"
        f" SELECT {BEFORE} AS cohort, 0 AS later, count(DISTINCT r.visitor) AS visitors"
        f" FROM {strangers.rows} WHERE {strangers.where}"
    )


def bucket_of(unit: RetentionUnit, day: int) -> int:
    """Return the number of the bucket in which a local *day* lies; the next one's is greater by 1.

    Days are counted since 1970-01-01.
    """
    match unit:
        case RetentionUnit.DAY:
            return day
        case RetentionUnit.WEEK:
            return (day + 3) // 7  # day 0 was a Thursday
        case RetentionUnit.MONTH:
            on = localtime.date_of(day)
            return on.year * 12 + on.month - 1


def first_day(unit: RetentionUnit, bucket: int) -> date:
    """Return the first day of a bucket."""
    match unit:
        case RetentionUnit.DAY:
            return localtime.date_of(bucket)
        case RetentionUnit.WEEK:
            return localtime.date_of(bucket * 7 - 3)
        case RetentionUnit.MONTH:
            return date(bucket // 12, bucket % 12 + 1, 1)


def _bucket(unit: RetentionUnit, day: str) -> str:
    """Return `bucket_of` as SQL."""
    match unit:
        case RetentionUnit.DAY:
            return day
        case RetentionUnit.WEEK:
            return f"(({day} + 3) // 7)"
        case RetentionUnit.MONTH:
            on = f"(DATE '1970-01-01' + CAST({day} AS INTEGER))"
            return f"(year({on}) * 12 + month({on}) - 1)"
