"""Selects over rows: by the time of the event, and by the time at which the visit began.

A visit belongs to the moment it began, so everything said of visits is counted over the rows
whose `session_start` lies in the period, and everything said of events over those whose `ts`
does. Each select yields the query's keys (`k0`, `k1`…) and some measures (`measures.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics import localtime
from analytics.query import TIME_DIMENSIONS, Dimension, Metric
from analytics.store.sql import columns, measures
from analytics.store.sql.conditions import BoundValues, Conditions, column_sql
from analytics.store.sql.query_shape import QueryShape
from analytics.store.sql.time_buckets import bucket_sql
from analytics.units import DAY_MS, HOUR_MS

# One row of the period, as event: r; its visit's last pageview: rx.
_EXITS: Final = """exits AS (
    SELECT session,
        arg_max(path, (ts, log_offset)) AS path,
        arg_max(hostname, (ts, log_offset)) AS hostname
    FROM rows
    WHERE site = $site AND name = 'pageview' AND session <> 0
        AND session_start >= (SELECT earliest FROM span)
        AND session_start <= (SELECT latest FROM span)
    GROUP BY session)"""

_ONE_GROUP: Final = " GROUP BY 'all'"


class RowSelects:
    """The selects of one query over its period, or over the rest of it from *start* on.

    With *seen_since*, visitors who were already active in [seen_since, start) do not count. If
    some rows of that time are *gone* (evicted), `last_seen` has their visitors.
    """

    def __init__(
        self,
        shape: QueryShape,
        bound: BoundValues,
        *,
        start: int | None = None,
        seen_since: int | None = None,
        gone: bool = False,
    ) -> None:
        query = shape.query
        self._shape = shape
        self._query = query
        self._bound = bound
        self._start = query.period.start if start is None else start
        self._end = query.period.end
        self._seen_since = seen_since
        self._gone = gone
        self._conditions = Conditions(query.filters, shape.filters, bound)

    def needed(self) -> list[str]:
        """Return the selects that the metrics need; they yield the keys, `present`, measures."""
        selects: list[str] = []
        if self._shape.counts_events:
            selects.append(self._events())
        if self._seen_since is not None and "visitors" in self._shape.measures:
            selects.append(self._newcomers(self._query.dimensions))
        if self._needs_any(measures.VISIT_MEASURES):
            selects.append(self._visits())
        if self._needs_any((*measures.VIEWED_MEASURES, *measures.ATTENTION_MEASURES)):
            selects.append(self._attention())
        if self._needs_any(measures.SCROLL_MEASURES):
            selects.append(self._scroll())
        if self._needs_any(measures.EXIT_MEASURES):
            selects.append(self._exits())
        return selects

    def active_days(self) -> str:
        """Return a select of each visitor's active days: keys other than time, `visitor`, `day`.

        With *seen_since*, the visitor's last active day before the period is added.
        """
        named = [d for d in self._query.dimensions if d != Dimension.DAY]
        keys = self._keys(named, "r.ts")
        shown = ", ".join([*keys, "r.visitor AS visitor"])
        day = self._time_key(Dimension.DAY, "r.ts")
        where = f"{self._of_site()} AND r.name <> 'engagement'"
        period = f"{where} AND {self._within('r.ts')}"
        days = f"SELECT DISTINCT {shown}, {day} AS day FROM {self._rows()} WHERE {period}"
        if self._gone:
            visitors = f"SELECT r.visitor FROM rows r WHERE {period}"
            days += f" UNION ALL {self._last_seen(named, visitors)}"
        if self._seen_since is None or self._seen_since >= self._start:
            return days
        before = (
            f"{where} AND r.ts >= {self._bound(self._seen_since)}"
            f" AND r.ts < {self._bound(self._start)}"
            f" AND r.visitor IN (SELECT r.visitor FROM rows r WHERE {period})"
        )
        last = f"SELECT {shown}, max({day}) AS day FROM {self._rows()} WHERE {before}"
        return f"{days} UNION ALL {last}{_group_by(len(keys) + 1)}"

    def matching(self) -> str:
        """Return a select of `session` and `event_id` of rows that the filters match, pings too.

        It must be preceded by the common table expressions of `tables`.
        """
        where = f"{self._of_site()} AND {self._within('r.ts')} AND {self._conditions.of_event('r')}"
        return (
            f"SELECT r.session AS session, r.event_id AS event_id FROM {self._rows()} WHERE {where}"
        )

    def everyone(self) -> list[str]:
        """Return the selects of `visitors` of all keys together, if a metric needs them."""
        if Metric.PERCENTAGE not in self._query.metrics:
            return []
        if self._seen_since is not None:
            return [self._newcomers(())]
        where = self._events_where()
        distinct = f"SELECT DISTINCT r.visitor FROM {self._rows()} WHERE {where}"
        return [f"SELECT count(*) AS visitors FROM ({distinct})"]

    def tables(self) -> list[str]:
        """Return the common table expressions, `name AS (…)`, which the selects use, in order."""
        tables: list[str] = []
        if self._shape.follows_visits:
            tables.append(self._span())
        if self._shape.needs_exits:
            tables.append(_EXITS)
        if self._shape.filters.by_event and self._shape.of_visits:
            tables.append(self._chosen())
        return tables

    def _events(self) -> str:
        """Return the measures of events, by when they happened. A ping is not an event."""
        keys = self._keys(self._query.dimensions, "r.ts")
        chosen = {
            "present": "1",
            "visitors": "count(DISTINCT r.visitor)",
            "pageviews": "count(*) FILTER (r.name = 'pageview')",
            "events": "count(*)",
            "revenue": "sum(r.revenue)",
            "revenue_events": "count(r.revenue)",
            "currency_first": "min(r.currency) FILTER (r.revenue IS NOT NULL)",
            "currency_last": "max(r.currency) FILTER (r.revenue IS NOT NULL)",
        }
        if self._seen_since is not None:
            del chosen["visitors"]  # see `_newcomers`
        return self._select(keys, chosen, self._events_where())

    def _newcomers(self, dimensions: Sequence[str]) -> str:
        """Return `visitors` by key: those who were not active in [seen_since, start)."""
        named = "".join(f"k{i}, " for i in range(len(dimensions)))
        visitors = ", ".join([*self._keys(dimensions, "r.ts"), "r.visitor AS visitor"])
        now = f"SELECT DISTINCT {visitors} FROM {self._rows()} WHERE {self._events_where()}"
        seen = (
            f"SELECT DISTINCT {visitors} FROM {self._rows()} WHERE {self._of_site()}"
            f" AND r.ts >= {self._bound(self._seen_since or 0)}"
            f" AND r.ts < {self._bound(self._start)} AND r.name <> 'engagement'"
            f" AND r.visitor IN (SELECT visitor FROM now)"
        )
        if self._gone:
            seen += f" UNION ALL {self._seen_on_evicted_days(dimensions)}"
        return (
            f"WITH now AS MATERIALIZED ({now}) SELECT {named} count(*) AS visitors"
            f" FROM (SELECT * FROM now EXCEPT SELECT * FROM ({seen}))"
            f"{_group_by(len(dimensions))}"
        )

    def _last_seen(self, dimensions: Sequence[str], visitors: str) -> str:
        """Return each of *visitors* (SQL) with the last evicted day of activity, by key if any."""
        keys = "".join(f"value AS k{i}, " for i in range(len(dimensions)))
        return (
            f"SELECT {keys}visitor, CAST(day AS BIGINT) AS day FROM last_seen WHERE site = $site"
            f" AND dimension = {self._bound(self._named(dimensions))} AND visitor IN ({visitors})"
        )

    def _seen_on_evicted_days(self, dimensions: Sequence[str]) -> str:
        """Return visitors of `now`, by key, active on an evicted day from `seen_since` on."""
        first_day = self._shape.first_day
        keys = [
            bucket_sql(d, "day", first_day) if d in TIME_DIMENSIONS else "k0" for d in dimensions
        ]
        named = [d for d in dimensions if d not in TIME_DIMENSIONS]
        first = localtime.day_of(self._query.period.timezone, self._seen_since or 0)
        seen = self._last_seen(named, "SELECT visitor FROM now")
        shown = ", ".join([*keys, "visitor"])
        return f"SELECT {shown} FROM ({seen}) WHERE day >= {self._bound(first)}"

    @staticmethod
    def _named(dimensions: Sequence[str]) -> str:
        return dimensions[0] if dimensions else columns.TOTAL

    def _visits(self) -> str:
        """Return the measures of visits, by when they began; by page, by their entry page."""
        keys = self._keys(self._query.dimensions, "r.session_start", entry=True)
        chosen = {
            "present": "0" if self._shape.by_page else "CAST(sum(r.opens) > 0 AS INTEGER)",
            "begun": "sum(r.opens)",
            "engages": "sum(r.engages)",
            "duration_ms": "sum(r.gap_ms)",
            "views": "count(*) FILTER (r.name = 'pageview')",
        }
        return self._select(keys, chosen, self._visits_where())

    def _attention(self) -> str:
        """Return `viewed`, the visits that viewed a page, and `engaged_ms`, their time on it."""
        keys = self._keys(self._query.dimensions, "r.session_start")
        chosen = {
            "viewed": "count(DISTINCT r.session) FILTER (r.name = 'pageview')",
            "engaged_ms": "sum(r.engaged_ms)",
        }
        return self._select(keys, chosen, self._pages_where())

    def _scroll(self) -> str:
        """Return `scroll_sum`, the sum of each visit's greatest depth, and `scroll_visits`."""
        keys = self._keys(self._query.dimensions, "r.session_start")
        named = [f"k{i}" for i in range(len(keys))]
        deepest = self._select(
            [*keys, "r.session AS session"],
            {"deepest": "max(r.scroll_depth)"},
            f"r.scroll_depth IS NOT NULL AND {self._pages_where()}",
            always=("deepest",),
        )
        shown = ", ".join([*named, "sum(deepest) AS scroll_sum", "count(*) AS scroll_visits"])
        return f"SELECT {shown} FROM ({deepest}){_group_by(len(named))}"

    def _exits(self) -> str:
        """Return `exits`: the visits whose last pageview has the key, by when they began."""
        keys = self._keys(self._query.dimensions, "r.session_start", exit_=True)
        where = f"r.opens = 1 AND rx.session IS NOT NULL AND {self._visits_where()}"
        return self._select(keys, {"exits": "count(*)"}, where, exits=True)

    def _select(
        self,
        keys: Sequence[str],
        chosen: dict[str, str],
        where: str,
        *,
        exits: bool = False,
        always: Sequence[str] = ("present",),
    ) -> str:
        shown = [
            f"{sql} AS {name}"
            for name, sql in chosen.items()
            if name in self._shape.measures or name in always
        ]
        select = f"SELECT {', '.join([*keys, *shown])} FROM {self._rows(exits=exits)}"
        # In one group rather than in none: only what is grouped goes to disk when it outgrows
        # memory. Without rows there is no group, and nothing to add.
        return f"{select} WHERE {where}{_group_by(len(keys)) or _ONE_GROUP}"

    def _rows(self, *, exits: bool = False) -> str:
        if exits or self._shape.joins_exits:
            return "rows r LEFT JOIN exits rx ON rx.session = r.session"
        return "rows r"

    def _of_site(self) -> str:
        return "r.site = $site" if self._query.bots else "r.site = $site AND r.bot IS NULL"

    def _within(self, column: str) -> str:
        return f"{column} >= {self._bound(self._start)} AND {column} < {self._bound(self._end)}"

    def _events_where(self) -> str:
        condition = self._conditions.of_event("r")
        where = f"{self._of_site()} AND {self._within('r.ts')} AND r.name <> 'engagement'"
        return f"{where} AND {condition}"

    def _begun_where(self) -> str:
        return f"{self._of_site()} AND r.session <> 0 AND {self._within('r.session_start')}"

    def _visits_where(self) -> str:
        """Return the condition for rows of visits that have an event which the filters match."""
        if self._shape.filters.by_event:
            return f"{self._begun_where()} AND r.session IN (SELECT session FROM chosen)"
        return f"{self._begun_where()} AND {self._conditions.of_event('r')}"

    def _pages_where(self) -> str:
        """Return the condition for those of these rows whose page the filters do not exclude."""
        if self._shape.filters.by_event:
            return f"{self._visits_where()} AND {self._conditions.of_page('r')}"
        return self._visits_where()

    def _chosen(self) -> str:
        where = f"{self._begun_where()} AND r.name <> 'engagement'"
        return (
            f"chosen AS (SELECT DISTINCT r.session AS session FROM {self._rows()}"
            f" WHERE {where} AND {self._conditions.of_event('r')})"
        )

    def _span(self) -> str:
        """Return `span`: when the first and the last visit with a row in the period began."""
        start, end = self._bound(self._start), self._bound(self._end)
        return (
            f"span AS MATERIALIZED (SELECT least(min(session_start), {start}) AS earliest,"
            f" greatest(max(session_start), {end}) AS latest FROM rows WHERE site = $site"
            f" AND session <> 0 AND ts >= {start} AND ts < {end})"
        )

    def _keys(
        self, dimensions: Sequence[str], time: str, *, entry: bool = False, exit_: bool = False
    ) -> list[str]:
        keys = []
        for i, dimension in enumerate(dimensions):
            page = columns.PAGE_COLUMNS.get(dimension)
            if page and entry:
                sql = f"r.entry_{page}"
            elif page and exit_:
                sql = f"rx.{page}"
            else:
                sql = self._time_key(dimension, time) or column_sql(dimension, "r", self._bound)
            keys.append(f"{sql} AS k{i}")
        return keys

    def _time_key(self, dimension: str, time: str) -> str | None:
        """Return the SQL of a time dimension's bucket, None for any other dimension.

        A bucket is the number of an hour, or of its first day, since 1970 in local time.
        """
        zone = self._query.period.timezone
        start = self._start if self._seen_since is None else min(self._start, self._seen_since)
        local = localtime.local_ms_sql(time, zone, start, self._end)
        day = f"{local} // {DAY_MS}"
        match dimension:
            case Dimension.HOUR:
                return f"{local} // {HOUR_MS}"
            case Dimension.DAY | Dimension.WEEK | Dimension.MONTH:
                return bucket_sql(dimension, day, self._shape.first_day)
        return None

    def _needs_any(self, of: Sequence[str]) -> bool:
        return not self._shape.measures.isdisjoint(of)


def _group_by(keys: int) -> str:
    return f" GROUP BY {', '.join(str(i + 1) for i in range(keys))}" if keys else ""
