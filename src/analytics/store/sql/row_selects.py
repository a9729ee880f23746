"""The parts of a query that rows answer: by the time of the event, and by that of the visit.

A visit belongs to the moment it began, so everything said of visits is counted over the rows
whose `session_start` lies in the period, and everything said of events over those whose `ts`
does. Each part is a select with the query's keys (`k0`, `k1`…) and some measures.
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
    """The parts of *query* over its period, or what is left of it from *start* on.

    With *seen_since*, visitors do not count who were there already in [seen_since, start). Some
    rows of that time may be *gone*: then `last_seen` has their visitors.
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
        """The parts that the query's metrics are made of."""
        parts: list[str] = []
        if self._shape.counts_events:
            parts.append(self._events())
        if self._seen_since is not None and "visitors" in self._shape.measures:
            parts.append(self._newcomers(self._query.dimensions))
        if self._wants(measures.VISIT_MEASURES):
            parts.append(self._visits())
        if self._wants((*measures.VIEWED_MEASURES, *measures.ATTENTION_MEASURES)):
            parts.append(self._attention())
        if self._wants(measures.SCROLL_MEASURES):
            parts.append(self._scroll())
        if self._wants(measures.EXIT_MEASURES):
            parts.append(self._exits())
        return parts

    def active_days(self) -> str:
        """Each visitor's active days, once for every key that is no time (`day` is).

        With *seen_since*, the last of his days before the period too.
        """
        named = [d for d in self._query.dimensions if d != Dimension.DAY]
        keys = self._keys(named, "r.ts")
        shown = ", ".join([*keys, "r.visitor AS visitor"])
        day = self._time_key(Dimension.DAY, "r.ts")
        where = f"{self._mine()} AND r.name <> 'engagement'"
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
        """The rows of the period for which the filters hold, pings too: their visit and their id.

        What `tables` says must stand before it.
        """
        where = f"{self._mine()} AND {self._within('r.ts')} AND {self._conditions.of_event('r')}"
        return (
            f"SELECT r.session AS session, r.event_id AS event_id FROM {self._rows()} WHERE {where}"
        )

    def everyone(self) -> list[str]:
        """The visitors under the same filters, all keys together."""
        if Metric.PERCENTAGE not in self._query.metrics:
            return []
        if self._seen_since is not None:
            return [self._newcomers(())]
        where = self._events_where()
        distinct = f"SELECT DISTINCT r.visitor FROM {self._rows()} WHERE {where}"
        return [f"SELECT count(*) AS visitors FROM ({distinct})"]

    def tables(self) -> list[str]:
        """What the parts refer to, in order."""
        tables: list[str] = []
        if self._shape.follows_visits:
            tables.append(self._span())
        if self._shape.needs_exits:
            tables.append(_EXITS)
        if self._shape.filters.by_event and self._shape.of_visits:
            tables.append(self._chosen())
        return tables

    def _events(self) -> str:
        """Events, by when they happened. A ping is not an event."""
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
        """Visitors, by key, who were not there in [seen_since, start)."""
        named = "".join(f"k{i}, " for i in range(len(dimensions)))
        mine = ", ".join([*self._keys(dimensions, "r.ts"), "r.visitor AS visitor"])
        now = f"SELECT DISTINCT {mine} FROM {self._rows()} WHERE {self._events_where()}"
        seen = (
            f"SELECT DISTINCT {mine} FROM {self._rows()} WHERE {self._mine()}"
            f" AND r.ts >= {self._bound(self._seen_since or 0)}"
            f" AND r.ts < {self._bound(self._start)} AND r.name <> 'engagement'"
            f" AND r.visitor IN (SELECT visitor FROM now)"
        )
        if self._gone:
            seen += f" UNION ALL {self._seen_there(dimensions)}"
        return (
            f"WITH now AS MATERIALIZED ({now}) SELECT {named} count(*) AS visitors"
            f" FROM (SELECT * FROM now EXCEPT SELECT * FROM ({seen}))"
            f"{_group_by(len(dimensions))}"
        )

    def _last_seen(self, dimensions: Sequence[str], visitors: str) -> str:
        """The last of the gone days of *visitors* (SQL), with the key if there is one."""
        keys = "".join(f"value AS k{i}, " for i in range(len(dimensions)))
        return (
            f"SELECT {keys}visitor, CAST(day AS BIGINT) AS day FROM last_seen WHERE site = $site"
            f" AND dimension = {self._bound(self._named(dimensions))} AND visitor IN ({visitors})"
        )

    def _seen_there(self, dimensions: Sequence[str]) -> str:
        """Visitors of `now` by key, who were there on gone days from `seen_since` on."""
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
        """Visits, by when they began; split by page, by where they entered."""
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
        """Visits that viewed a page, and the time that they gave it."""
        keys = self._keys(self._query.dimensions, "r.session_start")
        chosen = {
            "viewed": "count(DISTINCT r.session) FILTER (r.name = 'pageview')",
            "engaged_ms": "sum(r.engaged_ms)",
        }
        return self._select(keys, chosen, self._pages_where())

    def _scroll(self) -> str:
        """Each visit's deepest reading of a page, summed."""
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
        """Visits whose last pageview was there, by when they began."""
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

    def _mine(self) -> str:
        return "r.site = $site" if self._query.bots else "r.site = $site AND r.bot IS NULL"

    def _within(self, column: str) -> str:
        return f"{column} >= {self._bound(self._start)} AND {column} < {self._bound(self._end)}"

    def _events_where(self) -> str:
        condition = self._conditions.of_event("r")
        return (
            f"{self._mine()} AND {self._within('r.ts')} AND r.name <> 'engagement' AND {condition}"
        )

    def _begun_where(self) -> str:
        return f"{self._mine()} AND r.session <> 0 AND {self._within('r.session_start')}"

    def _visits_where(self) -> str:
        """The rows of visits that have an event for which the filters hold."""
        if self._shape.filters.by_event:
            return f"{self._begun_where()} AND r.session IN (SELECT session FROM chosen)"
        return f"{self._begun_where()} AND {self._conditions.of_event('r')}"

    def _pages_where(self) -> str:
        """Of those, the rows of pages that the filters do not leave out."""
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
        """When the visits began that have anything to do with the period."""
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
        """The bucket of a time dimension: an hour's or a day's number in local time."""
        zone = self._query.period.timezone
        start = self._start if self._seen_since is None else min(self._start, self._seen_since)
        local = localtime.local_ms_sql(time, zone, start, self._end)
        day = f"{local} // {localtime.DAY_MS}"
        match dimension:
            case Dimension.HOUR:
                return f"{local} // {localtime.HOUR_MS}"
            case Dimension.DAY | Dimension.WEEK | Dimension.MONTH:
                return bucket_sql(dimension, day, self._shape.first_day)
        return None

    def _wants(self, some: Sequence[str]) -> bool:
        return not self._shape.measures.isdisjoint(some)


def _group_by(keys: int) -> str:
    return f" GROUP BY {', '.join(str(i + 1) for i in range(keys))}" if keys else ""
