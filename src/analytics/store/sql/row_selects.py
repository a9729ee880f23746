"""Selects over rows: by the time of the event, and by the time at which the visit began.

A visit belongs to the moment it began, so everything said of visits is counted over the rows
whose `session_start` lies in the period, and everything said of events over those whose `ts`
does. Each select yields the query's keys (`k0`, `k1`…) and some measures (`measures.py`).

Rows answer the days after those that cells answer. Visitors who were already active on the earlier
days of the period do not count again; if rows of those days are evicted, `last_seen` knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from analytics.query import TIME_DIMENSIONS, Dimension, Metric
from analytics.store.sql import columns, exchange, measures
from analytics.store.sql.assembly import with_sql
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.conditions import RowConditions
from analytics.store.sql.exchange import Exchange
from analytics.store.sql.keys import QueryKeys, named
from analytics.store.sql.query_plan import QueryPlan

# One row of the period, as event: r; its visit's last pageview: rx.
EXITS: Final = """exits AS (
    SELECT session,
        arg_max(path, (ts, log_offset)) AS path,
        arg_max(hostname, (ts, log_offset)) AS hostname
    FROM rows
    WHERE site = $site AND name = 'pageview' AND session <> 0
        AND session_start >= (SELECT earliest FROM span)
        AND session_start <= (SELECT latest FROM span)
    GROUP BY session)"""
"""The last pageview of each visit of `span`."""

_NO_GOAL: Final = ("''", "false")
"""For a site without goals: it yields no row, but its columns."""
_ONE_GROUP: Final = " GROUP BY 'all'"
_OF_VISITS: Final = {
    "begun": "sum(r.opens)",
    "engages": "sum(r.engages)",
    "duration_ms": "sum(r.gap_ms)",
    "views": "count(*) FILTER (r.name = 'pageview')",
}
"""The measures of visits, from their rows."""


class RowSelects(NamedTuple):
    """The selects of a query over rows."""

    needed: Sequence[str]
    """Selects that yield the keys, and `present`, measures or both: those that the metrics need."""
    everyone: Sequence[str]
    """Selects of `visitors` of all keys together, if a metric needs them."""
    matching: str
    """A select of `session` and `event_id` of the rows that the filters match, pings too."""
    tables: Sequence[str]
    """The common table expressions, `name AS (…)`, that the others use, in order."""


def of(
    plan: QueryPlan, keys: QueryKeys, conditions: RowConditions, bound: BoundValues
) -> RowSelects:
    """Return the selects of the query of *plan* over rows, from *conditions* on the row `r`."""
    shape = plan.shape
    composer = _Composer(plan, keys, conditions, bound)
    everyone = [composer.everyone()] if Metric.PERCENTAGE in shape.query.metrics else []
    tables = []
    if shape.follows_visits:
        tables.append(composer.span)
    if shape.needs_exits:
        tables.append(EXITS)
    if shape.filters.by_event and shape.of_visits:
        tables.append(composer.chosen())
    if composer.rates:
        tables.append(composer.rates)
    if composer.by_goal and plan.clean is not None:
        tables += composer.goal_tables(conditions.goals)
        needed = composer.goal_sums(conditions.goals)
        return RowSelects(needed, everyone, composer.matching(), tables)
    needed = [
        *_of_events(plan, keys, conditions, composer),
        *_of_visits(shape.measures, composer),
        *_of_base(shape.measures, keys, composer),
    ]
    return RowSelects(needed, everyone, composer.matching(), tables)


def _of_events(
    plan: QueryPlan, keys: QueryKeys, conditions: RowConditions, composer: _Composer
) -> Iterator[str]:
    shape = plan.shape
    if shape.counts_events and composer.by_goal:
        currencies = [goal.currency for goal in shape.query.goals]
        for goal, currency in zip(conditions.goals or [_NO_GOAL], currencies or [""], strict=True):
            yield composer.events_of(*goal, currency)
    elif shape.counts_events:
        yield composer.events()
    if plan.clean is not None and "visitors" in shape.measures:
        yield composer.newcomers(keys.event)


def _of_visits(wanted: frozenset[str], composer: _Composer) -> Iterator[str]:
    if wanted.intersection(measures.VISIT_MEASURES):
        yield composer.matched_visits() if composer.by_matches else composer.visits()
    if wanted.intersection((*measures.VIEWED_MEASURES, *measures.ATTENTION_MEASURES)):
        yield composer.attention()
    if wanted.intersection(measures.SCROLL_MEASURES):
        yield composer.scroll()
    if wanted.intersection(measures.EXIT_MEASURES):
        yield composer.exits()
    if wanted.intersection(measures.EXIT_VIEW_MEASURES):
        yield composer.exit_views()


def _of_base(wanted: frozenset[str], keys: QueryKeys, composer: _Composer) -> Iterator[str]:
    if wanted.intersection(measures.BASE_MEASURES):
        yield composer.base("base_visitors", keys.base)
    if wanted.intersection(measures.GROUP_MEASURES):
        yield composer.base("group_visitors", keys.event)


class _Composer:
    """Composes the selects of one plan from the SQL of its keys and conditions."""

    def __init__(
        self, plan: QueryPlan, keys: QueryKeys, conditions: RowConditions, bound: BoundValues
    ) -> None:
        shape = plan.shape
        query = shape.query
        self.by_matches = shape.by_matches
        self.by_goal = Dimension.GOAL in query.dimensions
        self._plan = plan
        self._shape = shape
        self._keys = keys
        self._bound = bound
        self._start = bound(plan.rows_from)
        self._end = bound(query.period.end)
        self.span = span(self._start, self._end)
        self._exchange = Exchange(query, bound)
        self.rates = "" if "revenue" not in shape.measures else self._exchange.table
        self._rows = (
            "rows r LEFT JOIN exits rx ON rx.session = r.session" if shape.joins_exits else "rows r"
        )
        self._of_site = "r.site = $site" if query.bots else "r.site = $site AND r.bot IS NULL"
        happened = f"r.ts >= {self._start} AND r.ts < {self._end}"
        begun = f"r.session_start >= {self._start} AND r.session_start < {self._end}"
        self._begun_where = f"{self._of_site} AND r.session <> 0 AND {begun}"
        # Rows that the filters match, rows of visits with an event that they match, and those
        # among these whose page they do not exclude.
        self._matching_where = f"{self._of_site} AND {happened} AND {conditions.event}"
        self._events_where = f"{self._of_site} AND {happened} AND r.name <> 'engagement'"
        self._events_where += f" AND {conditions.event}"
        self._base_where = f"{self._of_site} AND {happened} AND r.name <> 'engagement'"
        self._base_where += f" AND {conditions.base}"
        self._viewed_where = f"{self._of_site} AND {happened} AND r.name = 'pageview'"
        self._viewed_where += f" AND {conditions.any_exit}"
        self._chosen_where = f"{self._begun_where} AND r.name <> 'engagement'"
        self._chosen_where += f" AND {conditions.event}"
        if shape.filters.by_event:
            chosen = "r.session IN (SELECT session FROM chosen)"
            self._visits_where = f"{self._begun_where} AND {chosen}"
            self._pages_where = f"{self._visits_where} AND {conditions.page}"
        else:
            self._visits_where = f"{self._begun_where} AND {conditions.event}"
            self._pages_where = self._visits_where

    def events(self) -> str:
        """Return the measures of events, by when they happened. A ping is not an event."""
        return self._events_in(self._shape.query.currency, self._events_where)

    def _events_in(self, currency: str, where: str, more: str = "") -> str:
        """Return the measures of events, revenue in *currency*; *more* follows the joined rows."""
        paid = "revenue" in self._shape.measures
        money = self._exchange.into(currency) if paid else exchange.AS_SENT
        chosen = {
            "present": "1",
            "visitors": "count(DISTINCT r.visitor)",
            "pageviews": "count(*) FILTER (r.name = 'pageview')",
            "events": "count(*)",
            "revenue": f"sum({money.amount})",
            "revenue_events": "count(r.revenue)",
            "currency_first": f"min({money.currency}) FILTER (r.revenue IS NOT NULL)",
            "currency_last": f"max({money.currency}) FILTER (r.revenue IS NOT NULL)",
        }
        if self._plan.clean is not None:
            del chosen["visitors"]  # see `newcomers`
        return self._select(self._keys.event, chosen, where, f"{self._rows}{money.joins}{more}")

    def events_of(self, goal: str, reached: str, currency: str) -> str:
        """Return the measures of events that reach a goal, from its name and condition as SQL.

        Revenue is in the goal's *currency*.
        """
        where = f"{self._events_where} AND {reached}"
        return self._events_in(currency, where, f", (SELECT {goal} AS name) rg")

    def goal_tables(self, goals: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Return the tables from which `goal_sums` adds up the days after the clean ones.

        `reaching` and `reached` have a row for each visitor of those days: how many of their events
        reached each goal then (`g0`…), and whether one did on the clean days. So rows are read
        twice, however many goals there are.
        """
        marks = ", ".join(f"{condition} AS g{i}" for i, (_, condition) in enumerate(goals))
        events = f"SELECT r.visitor AS visitor, r.name AS name, {marks} FROM {self._rows}"
        counts = ", ".join(
            f"count_if(g{i}) AS g{i}, count_if(g{i} AND name = 'pageview') AS v{i}"
            for i in range(len(goals))
        )
        before = (
            f"{self._of_site} AND r.ts >= {self._bound(self._shape.query.period.start)}"
            f" AND r.ts < {self._start} AND r.name <> 'engagement'"
            " AND r.visitor IN (SELECT visitor FROM reaching)"
        )
        already = ", ".join(f"bool_or(g{i}) AS g{i}" for i in range(len(goals)))
        visits = ""
        if self._shape.filters.has_done:  # those of the clean days, in the place of the later ones
            visits = with_sql([span(self._bound(self._shape.query.period.start), self._start)])
        reaching = f"SELECT visitor, {counts} FROM ({events} WHERE {self._events_where})"
        reached = f"SELECT visitor, {already} FROM ({events} WHERE {before})"
        return [
            f"reaching AS MATERIALIZED ({reaching} GROUP BY visitor)",
            f"reached AS MATERIALIZED ({visits}{reached} GROUP BY visitor)",
        ]

    def goal_sums(self, goals: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Return the selects of all measures by goal, and of `base_visitors`."""
        names = ", ".join(name for name, _ in goals)
        figures = {
            "events": "CAST(sum(n.g{0}) AS BIGINT)",
            "pageviews": "CAST(sum(n.v{0}) AS BIGINT)",
            "visitors": "count_if(n.g{0} > 0 AND NOT coalesce(s.g{0}, false))",
        }
        both = "reaching n LEFT JOIN reached s USING (visitor)"
        wanted = {each: sql for each, sql in figures.items() if each in self._shape.measures}
        wanted["present"] = "count_if(n.g{0} > 0)"
        listed = ", ".join(
            f"unnest([{', '.join(sql.format(i) for i in range(len(goals)))}]) AS {measure}"
            for measure, sql in wanted.items()
        )
        selects = [f"SELECT unnest([{names}]) AS k0, {listed} FROM {both}"]
        if "base_visitors" in self._shape.measures:
            selects.append(f"SELECT count_if(s.visitor IS NULL) AS base_visitors FROM {both}")
        return selects

    def base(self, measure: str, keys: Sequence[str | None]) -> str:
        """Return *measure* by *keys*: the visitors in percent of whom rates are."""
        shown = ", ".join([*named(keys), f"count(DISTINCT r.visitor) AS {measure}"])
        where = f"{self._base_where}{_group_by(len(named(keys))) or _ONE_GROUP}"
        return f"SELECT {shown} FROM {self._rows} WHERE {where}"

    def everyone(self) -> str:
        """Return `visitors` of all keys together."""
        if self._plan.clean is not None:
            return self.newcomers(())
        distinct = f"SELECT DISTINCT r.visitor FROM {self._rows} WHERE {self._events_where}"
        return f"SELECT count(*) AS visitors FROM ({distinct})"

    def newcomers(self, keys: Sequence[str]) -> str:
        """Return `visitors` by *keys*: those who were not active on the clean days."""
        shown = ", ".join([*named(keys), "r.visitor AS visitor"])
        now = f"SELECT DISTINCT {shown} FROM {self._rows} WHERE {self._events_where}"
        earlier = (
            f"SELECT DISTINCT {shown} FROM {self._rows} WHERE {self._of_site}"
            f" AND r.ts >= {self._bound(self._shape.query.period.start)}"
            f" AND r.ts < {self._start} AND r.name <> 'engagement'"
            f" AND r.visitor IN (SELECT visitor FROM now)"
        )
        if self._plan.evicted:
            earlier += f" UNION ALL {self._seen_on_evicted_days(by_key=bool(keys))}"
        names = "".join(f"k{i}, " for i in range(len(keys)))
        return (
            f"WITH now AS MATERIALIZED ({now}) SELECT {names}count(*) AS visitors"
            f" FROM (SELECT * FROM now EXCEPT SELECT * FROM ({earlier})){_group_by(len(keys))}"
        )

    def _seen_on_evicted_days(self, *, by_key: bool) -> str:
        """Return visitors of `now`, by key, who were active on an evicted day of the period."""
        split = self._shape.query.dimensions if by_key else ()
        values = [each for each in split if each not in TIME_DIMENSIONS]
        earlier = last_seen_sql(values, "SELECT visitor FROM now", self._bound)
        shown = ", ".join([*(self._keys.evicted if by_key else ()), "visitor"])
        return f"SELECT {shown} FROM ({earlier}) WHERE day >= {self._bound(self._plan.first_day)}"

    def visits(self) -> str:
        """Return the measures of visits, by when they began; by page, by their entry page."""
        present = "0" if self._shape.by_page else "CAST(sum(r.opens) > 0 AS INTEGER)"
        return self._select(
            self._keys.entry, {"present": present, **_OF_VISITS}, self._visits_where
        )

    def matched_visits(self) -> str:
        """Return the measures of visits under each key at which an event of theirs matches."""
        keys = named(self._keys.visit)
        matched = f"SELECT DISTINCT {', '.join([*keys, 'r.session AS session'])}"
        matched += f" FROM {self._rows} WHERE {self._chosen_where}"
        measures = [name for name in _OF_VISITS if name in self._shape.measures]
        each = ", ".join(["r.session AS session", *(f"{_OF_VISITS[m]} AS {m}" for m in measures)])
        visits = f"SELECT {each} FROM rows r WHERE {self._visits_where} GROUP BY 1"
        names = [f"k{i}" for i in range(len(keys))]
        shown = ", ".join([*names, "0 AS present", *(f"sum({m}) AS {m}" for m in measures)])
        return (
            f"SELECT {shown} FROM ({matched}) JOIN ({visits}) USING (session){_group_by(len(keys))}"
        )

    def attention(self) -> str:
        """Return `viewed`, the visits that viewed a page, and `engaged_ms`, their time on it."""
        chosen = {
            "viewed": "count(DISTINCT r.session) FILTER (r.name = 'pageview')",
            "engaged_ms": "sum(r.engaged_ms)",
        }
        return self._select(self._keys.visit, chosen, self._pages_where)

    def scroll(self) -> str:
        """Return `scroll_sum`, the sum of each visit's greatest depth, and `scroll_visits`."""
        keys = named(self._keys.visit)
        deepest = (
            f"SELECT {', '.join([*keys, 'r.session AS session'])}, max(r.scroll_depth) AS deepest"
            f" FROM {self._rows} WHERE r.scroll_depth IS NOT NULL AND {self._pages_where}"
            f"{_group_by(len(keys) + 1)}"
        )
        names = [f"k{i}" for i in range(len(keys))]
        shown = ", ".join([*names, "sum(deepest) AS scroll_sum", "count(*) AS scroll_visits"])
        return f"SELECT {shown} FROM ({deepest}){_group_by(len(keys))}"

    def exits(self) -> str:
        """Return `exits`: the visits whose last pageview has the key, by when they began."""
        keys = ", ".join([*named(self._keys.exit), "count(*) AS exits"])
        return (
            f"SELECT {keys} FROM rows r LEFT JOIN exits rx ON rx.session = r.session"
            f" WHERE r.opens = 1 AND rx.session IS NOT NULL AND {self._visits_where}"
            f"{_group_by(len(self._keys.exit)) or _ONE_GROUP}"
        )

    def exit_views(self) -> str:
        """Return `exit_views`: pageviews by the page whose exits are counted, by their time.

        Conditions on which page was the last one do not hold here: those visits are compared with
        all that viewed the page.
        """
        keys = self._keys.viewed
        shown = ", ".join([*named(keys), "count(*) AS exit_views"])
        where = f"{self._viewed_where}{_group_by(len(keys)) or _ONE_GROUP}"
        return f"SELECT {shown} FROM {self._rows} WHERE {where}"

    def matching(self) -> str:
        """Return `session` and `event_id` of the rows that the filters match, pings too."""
        return (
            "SELECT r.session AS session, r.event_id AS event_id"
            f" FROM {self._rows} WHERE {self._matching_where}"
        )

    def chosen(self) -> str:
        """Return `chosen`: the visits (`session`) with an event that the filters match."""
        return (
            f"chosen AS (SELECT DISTINCT r.session AS session FROM {self._rows}"
            f" WHERE {self._chosen_where})"
        )

    def _select(
        self, keys: Sequence[str], chosen: dict[str, str], where: str, rows: str = ""
    ) -> str:
        """Return a select of *keys*, `present`, and those of *chosen* that the metrics need."""
        shown = [
            f"{sql} AS {name}"
            for name, sql in chosen.items()
            if name in self._shape.measures or name == "present"
        ]
        select = f"SELECT {', '.join([*named(keys), *shown])} FROM {rows or self._rows}"
        # In one group rather than in none: only what is grouped goes to disk when it outgrows
        # memory. Without rows there is no group, and nothing to add.
        return f"{select} WHERE {where}{_group_by(len(keys)) or _ONE_GROUP}"


def span(start: str, end: str) -> str:
    """Return `span`: when the first and the last visit with a row in [start, end) began."""
    return (
        f"span AS MATERIALIZED (SELECT least(min(session_start), {start}) AS earliest,"
        f" greatest(max(session_start), {end}) AS latest FROM rows WHERE site = $site"
        f" AND session <> 0 AND ts >= {start} AND ts < {end})"
    )


def last_seen_sql(dimensions: Sequence[str], visitors: str, bound: BoundValues) -> str:
    """Return a select of the last evicted day on which each of *visitors* (SQL) was active.

    It yields `visitor`, `day` and, by a dimension, its value `k0`; *dimensions* are one or none.
    """
    value = "value AS k0, " if dimensions else ""
    dimension = bound(dimensions[0] if dimensions else columns.TOTAL)
    return (
        f"SELECT {value}visitor, CAST(day AS BIGINT) AS day FROM last_seen"
        f" WHERE site = $site AND dimension = {dimension} AND visitor IN ({visitors})"
    )


def _group_by(keys: int) -> str:
    return f" GROUP BY {', '.join(str(i + 1) for i in range(keys))}" if keys else ""
