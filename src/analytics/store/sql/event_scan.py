"""The events that an exploration looks at, as SQL: the rows `r` of whole visits, or of a period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analytics.exploration import Exploration, FunnelQuery, JourneyQuery, RetentionQuery
from analytics.query import Filter
from analytics.store.sql import conditions, row_selects
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.filter_shape import FilterShape


class EventScan(NamedTuple):
    """Rows of events, and the SQL that a statement about them needs."""

    rows: str
    """The item of `FROM`; each row is `r`."""
    where: str
    """True for the events that the filters match; a ping is not an event."""
    tables: Sequence[str]
    """The common table expressions to which the conditions refer."""
    steps: Sequence[str]
    """The condition on `r` of each of the exploration's own filters: its steps, its start."""


def shape_of(exploration: Exploration) -> FilterShape:
    """Return the shape of all its filters. Raise `Malformed` for an unknown dimension."""
    return FilterShape.of((*exploration.filters, *steps_of(exploration)))


def steps_of(exploration: Exploration) -> tuple[Filter, ...]:
    """Return the filters of the steps or the start of *exploration*."""
    match exploration:
        case FunnelQuery():
            return exploration.steps
        case JourneyQuery():
            return (exploration.start,)
        case RetentionQuery():
            return ()


def follows_visits(shape: FilterShape) -> bool:
    """Return whether conditions of that *shape* look at the whole course of a visit."""
    return shape.has_done or shape.by_exit


def of(exploration: Exploration, since: int, when: str, bound: BoundValues) -> EventScan:
    """Return the events since *since* (ms) of an exploration for which *when* (SQL) is true."""
    shape = shape_of(exploration)
    tables = []
    if follows_visits(shape):
        tables.append(row_selects.span(bound(since), bound(exploration.period.end)))
    if shape.by_exit:
        tables.append(row_selects.EXITS)
    rows = "rows r LEFT JOIN exits rx ON rx.session = r.session" if shape.by_exit else "rows r"
    people = "" if exploration.bots else " AND r.bot IS NULL"
    matching = conditions.on_events(exploration.filters, shape, bound)
    return EventScan(
        rows,
        f"r.site = $site{people} AND r.name <> 'engagement' AND {when} AND {matching}",
        tables,
        [conditions.on_events((each,), shape, bound) for each in steps_of(exploration)],
    )


def of_visits(exploration: Exploration, bound: BoundValues) -> EventScan:
    """Return the events of the visits that began in the period, whenever they happened."""
    begun = f"r.session <> 0 AND {_within('r.session_start', exploration, bound)}"
    return of(exploration, exploration.period.start, begun, bound)


def of_period(exploration: Exploration, bound: BoundValues) -> EventScan:
    """Return the events that happened in the period."""
    return of(exploration, exploration.period.start, _within("r.ts", exploration, bound), bound)


def _within(column: str, exploration: Exploration, bound: BoundValues) -> str:
    period = exploration.period
    return f"{column} >= {bound(period.start)} AND {column} < {bound(period.end)}"
