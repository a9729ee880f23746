"""Which kind of imported sums a question can be answered from, if any.

Sums have been added up already: they can be split and filtered only by the dimensions that their
kind has, all others together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from analytics import localtime
from analytics.event import PAGEVIEW
from analytics.imported.daily_sums import DIMENSIONS, SumKind
from analytics.query import (
    PROPERTY_PREFIX,
    TIME_DIMENSIONS,
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    Imports,
    Metric,
    Not,
    Op,
    Period,
    Query,
)
from analytics.store.sql import measures
from analytics.store.sql.filter_shape import walk

_OF_EVENTS: Final = {
    f"{PROPERTY_PREFIX}url": frozenset(
        {"Outbound Link: Click", "Cloaked Link: Click", "File Download"}
    ),
    f"{PROPERTY_PREFIX}path": frozenset({"404", "WP Form Completions"}),
}
"""The events of which the sums know a property; of others they know only that it is not said."""
_PAGE_METRICS: Final = frozenset({Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH})
_EXIT_METRICS: Final = frozenset({Metric.EXITS, Metric.EXIT_RATE})


class ImportedSpan(NamedTuple):
    """The first and the last day of an import."""

    first: int
    last: int


class JoiningDays(NamedTuple):
    """The days whose sums join an answer: *first* to *last*."""

    first: int
    last: int
    period_first: int
    """The day on which the period starts, which may be the one before."""


def joining(query: Query, imports: Sequence[ImportedSpan]) -> JoiningDays | Imports:
    """Return the days whose sums join the answer to *query*, or the reason why none do.

    *query* knows no goals by name, only their filters.
    """
    if not imports:
        return Imports.NO_IMPORTED_DATA
    days = _days(query.period)
    if not any(each.first <= days.last and days.first <= each.last for each in imports):
        return Imports.OUT_OF_RANGE
    if Dimension.HOUR in query.dimensions:
        return Imports.UNSUPPORTED_INTERVAL
    return days if _has_sums(query) else Imports.UNSUPPORTED_QUERY


def kind_of(filters: Sequence[Filter], dimensions: Iterable[str] = ()) -> SumKind | None:
    """Return the kind of sums that has all of *dimensions* and whatever *filters* compare.

    None if there is none; times are no dimensions here.
    """
    every = [each for each, _ in walk(filters)]
    if not all(isinstance(each, Compare) or _joins(each) for each in every):
        return None
    compared = [each for each in every if isinstance(each, Compare)]
    split = {each for each in dimensions if each not in TIME_DIMENSIONS}
    used = split.union(each.dimension for each in compared)
    if not used:
        return SumKind.VISITORS
    if Dimension.NAME in used and not used.isdisjoint(DIMENSIONS[SumKind.PAGES]):
        # Sums of pages are of pageviews alone, so a filter that leaves these in says nothing.
        if Dimension.NAME in split or not all(map(_leaves_pageviews, compared)):
            return None
        used.discard(Dimension.NAME)
    for kind, names in DIMENSIONS.items():
        if used <= names:
            return kind if _says_properties(filters, used) else None
    return None


def goal_kinds(query: Query) -> Sequence[SumKind | None]:
    """Return the kind of sums that tells how each goal of *query* was reached, or None."""
    split = [each for each in query.dimensions if each != Dimension.GOAL]
    return [kind_of((*query.filters, goal.filter), split) for goal in query.goals]


def _has_sums(query: Query) -> bool:
    split = [each for each in query.dimensions if each != Dimension.GOAL]
    by_goal = len(split) < len(query.dimensions)
    kinds = goal_kinds(query) if by_goal else [kind_of(query.filters, split)]
    if not any(kinds) or not all(_knows(kind, query, split) for kind in kinds if kind is not None):
        return False
    if Metric.PERCENTAGE in query.metrics and kind_of(query.filters) is None:
        return False
    base = query.base_filters or ()
    if Metric.CONVERSION_RATE in query.metrics and kind_of(base) is None:
        return False
    return Metric.GROUP_CONVERSION_RATE not in query.metrics or kind_of(base, split) is not None


def _knows(kind: SumKind, query: Query, split: Sequence[str]) -> bool:
    """Return whether sums of *kind* have what all metrics are made of."""
    days = frozenset(query.metrics)
    if not days.isdisjoint(measures.REVENUE_METRICS):
        return False
    if kind is SumKind.CUSTOM_EVENTS and not days.isdisjoint(measures.VISIT_METRICS):
        return False
    if kind is not SumKind.PAGES and not days.isdisjoint(_PAGE_METRICS):
        return False
    if days.isdisjoint(_EXIT_METRICS):
        return True
    # What the exits are compared with is known of all pages, without regard to filters.
    return kind is SumKind.EXIT_PAGES and not query.filters and Dimension.EXIT_PAGE in split


def _days(period: Period) -> JoiningDays:
    """Return the days that begin within *period*."""
    zone = period.timezone
    started = localtime.day_of(zone, period.start)
    first = started if localtime.is_day_start(zone, period.start) else started + 1
    return JoiningDays(first, localtime.day_of(zone, period.end - 1), started)


def _joins(condition: Filter) -> bool:
    return isinstance(condition, All | Any | Not)


def _leaves_pageviews(condition: Compare) -> bool:
    if condition.dimension != Dimension.NAME:
        return True
    return condition.op is Op.IS and condition.values == (PAGEVIEW,)


def _says_properties(filters: Sequence[Filter], used: set[str]) -> bool:
    """Return whether the sums say the properties that are asked for, if any are."""
    for name, events in _OF_EVENTS.items():
        if name in used:
            required = _required(All(tuple(filters)))
            if required is None or not required <= events:
                return False
    return True


def _required(condition: Filter) -> frozenset[str] | None:
    """Return the names of which an event must have one for *condition* to hold; None if any do."""
    match condition:
        case Compare(Op.IS, Dimension.NAME, values):
            return frozenset(values)
        case All(filters):
            narrowed = [names for each in filters if (names := _required(each)) is not None]
            return frozenset.intersection(*narrowed) if narrowed else None
        case Any(filters):
            each_names = [_required(each) for each in filters]
            known = [names for names in each_names if names is not None]
            return frozenset().union(*known) if len(known) == len(each_names) else None
        case _:
            return None
