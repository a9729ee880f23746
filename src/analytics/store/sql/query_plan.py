"""Plan how to answer a query: which of its days from cells, and which from rows.

A plan follows from the query's shape and from what is stored of the site besides rows. Everything
that depends on the time zone is computed here.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from analytics import localtime
from analytics.localtime import OffsetChange
from analytics.query import TIME_DIMENSIONS
from analytics.store.sql.imported_shape import JoiningDays
from analytics.store.sql.query_shape import QueryShape


class CellState(NamedTuple):
    """The cells of a site are valid for the days (of a zone's `localtime.edition`) until then."""

    edition: str
    until: int
    since: int = 0
    """The earliest moment (ms) at which a period may start; later only for goals."""


class CleanDays(NamedTuple):
    """The days of a query that cells answer: [first, end), and the instant where they end."""

    first: int
    end: int
    end_ms: int


class QueryPlan(NamedTuple):
    """The plan of a query. Days are local, counted since 1970-01-01."""

    shape: QueryShape
    """Its query's period begins no earlier than the rows that retention has kept."""
    first_day: int
    """The day on which the period starts."""
    last_day: int
    """The day of the period's last millisecond."""
    offsets: tuple[OffsetChange, ...]
    """The zone's offsets over the period; empty unless the query is split by time."""
    clean: CleanDays | None = None
    """The days that cells answer; None if rows answer everything."""
    evicted: bool = False
    """Whether rows of the clean days may be evicted; `last_seen` has their visitors."""
    imported: JoiningDays | None = None
    """The days whose imported sums join the answer. Retention is about events alone."""

    @property
    def needs_rows(self) -> bool:
        """Whether cells leave some of the period to rows."""
        return self.clean is None or self.clean.end_ms < self.shape.query.period.end

    @property
    def rows_from(self) -> int:
        """The instant (ms) from which on rows answer."""
        return self.clean.end_ms if self.clean else self.shape.query.period.start


def from_rows(shape: QueryShape, *, kept_since: int = 0) -> QueryPlan:
    """Return the plan that answers a query from the rows of its period from *kept_since* on."""
    query = shape.query
    period = query.period
    if period.start < kept_since:
        period = structs.replace(period, start=kept_since, end=max(period.end, kept_since))
        shape = shape._replace(query=structs.replace(query, period=period))
    zone, timed = period.timezone, not TIME_DIMENSIONS.isdisjoint(query.dimensions)
    return QueryPlan(
        shape,
        localtime.day_of(zone, period.start),
        localtime.day_of(zone, period.end - 1),
        localtime.changes(zone, period.start, period.end) if timed else (),
    )


def from_cells(
    shape: QueryShape, state: CellState | None, *, kept_since: int, evicted: bool
) -> QueryPlan:
    """Return the plan that answers as many days as possible from cells, and the rest from rows.

    *evicted*: rows of days that have cells may be evicted.
    """
    plan = from_rows(shape, kept_since=kept_since)
    if state is None or not shape.has_cells:
        return plan
    period = plan.shape.query.period
    zone, end = period.timezone, period.end
    if state.edition != localtime.edition(zone) or not localtime.is_day_start(zone, period.start):
        return plan
    until = localtime.day_of(zone, state.until)
    if end < localtime.day_start(zone, until):
        if not localtime.is_day_start(zone, end):
            return plan
        until = localtime.day_of(zone, end)
    if plan.first_day >= until or period.start < state.since:
        return plan
    clean = CleanDays(plan.first_day, until, localtime.day_start(zone, until))
    return plan._replace(clean=clean, evicted=evicted)
