"""Resolves goals and segments in filters to the filters for which they stand.

Callers compare the dimension `event:goal` with names of goals, and `segment` with ids of segments;
the store gets the filters for which they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import structs

from analytics.api import query_json
from analytics.api.access import QueryableStore
from analytics.errors import UNDECODABLE, Malformed
from analytics.event import PAGEVIEW
from analytics.goal import Goal, Segment
from analytics.query import (
    PROPERTY_PREFIX,
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    HasDone,
    InSequence,
    Metric,
    NamedFilter,
    Not,
    Op,
    Period,
    Query,
    ScrolledTo,
)
from analytics.site import Site
from analytics.store.sql.filter_shape import FilterShape, walk
from analytics.store.sql.measures import GOAL_METRICS
from analytics.suggestions import unknown

SEGMENT: Final = query_json.SEGMENT
_NEGATED: Final = {Op.IS_NOT: Op.IS, Op.CONTAINS_NOT: Op.CONTAINS, Op.MATCHES_NOT: Op.MATCHES}


def resolve(query: Query, site: Site, *, reader: str = "") -> Query:
    """Return *query* with the goals and segments of *site* replaced by their filters.

    *reader* is the email address of the caller, who may use personal segments of that address.
    Raise `Malformed` for an unknown goal or segment.
    """
    expanded = _expand(query.filters, site, reader)
    by_goal = Dimension.GOAL in query.dimensions
    about_goals = [each for each in expanded if _mentions(each, Dimension.GOAL)]
    goals: tuple[NamedFilter, ...] = ()
    if by_goal:
        chosen = [goal for goal in site.goals if all(_admits(f, goal.name) for f in about_goals)]
        goals = tuple(NamedFilter(goal.name, filter_of(goal), goal.currency) for goal in chosen)
    base = None
    if by_goal or about_goals:
        base = tuple(_without_names(each, site) for each in expanded if not _of_conversion(each))
    currencies = {
        goal.currency
        for goal in site.goals
        if goal.currency and about_goals and all(_admits(f, goal.name) for f in about_goals)
    }
    return structs.replace(
        query,
        currency=currencies.pop() if len(currencies) == 1 else "",
        filters=tuple(_without_names(each, site) for each in expanded),
        goals=goals,
        base_filters=base if GOAL_METRICS.intersection(query.metrics) else None,
    )


def resolve_filters(
    filters: Iterable[Filter], site: Site, *, reader: str = ""
) -> tuple[Filter, ...]:
    """Return *filters* resolved as by `resolve`; their number and order stay."""
    return tuple(
        _without_names(All(tuple(_expand((each,), site, reader))), site) for each in filters
    )


def without_segments(sent: Sequence[object], site: Site) -> list[object]:
    """Return filters in JSON, which were resolved before, with what their segments stand for."""
    held = {segment.id: msgspec.json.decode(segment.filters) for segment in site.segments}
    return [_plain(each, held) for each in sent]


def _plain(sent: object, held: Mapping[int, list[object]]) -> object:
    match sent:
        case [op, name, [*numbers], *_] if name == query_json.SEGMENT:
            chosen = _joined("or", [_joined("and", held[int(str(each))]) for each in numbers])
            return chosen if op == Op.IS else ["not", chosen]
        case ["and" | "or" | "sequence" as joint, [*inner]]:
            return [joint, [_plain(each, held) for each in inner]]
        case ["not" | "has_done" | "has_not_done" as operator, inner]:
            return [operator, _plain(inner, held)]
    return sent


def _joined(joint: str, filters: list[object]) -> object:
    return filters[0] if len(filters) == 1 else [joint, filters]


async def check_segment(filters: str, site: Site, store: QueryableStore, now: int) -> None:
    """Raise `Malformed` unless *filters*, in the JSON of the Stats API, can be a segment of *site*.

    The *store* answers a question by them about the moment *now*, so that whatever it would refuse
    in a report is refused here.
    """
    try:
        sent = msgspec.json.decode(filters, type=list[object])
    except UNDECODABLE as exc:
        raise Malformed("filters", f"are not a JSON list: {exc}") from exc
    if not sent:
        raise Malformed("filters", "there is no filter to save")
    chosen = query_json.filters_of(sent, "filters")
    if any(_mentions(each, SEGMENT) for each in chosen):
        raise Malformed("filters", "a segment cannot hold another segment: save its filters")
    period = Period(now, now + 1, site.timezone)
    query = Query(site=site.domain, metrics=(Metric.VISITORS,), period=period, filters=chosen)
    await store.query(resolve(query, site))


def filter_of(goal: Goal) -> Filter:
    """Return the filter that matches the events by which *goal* is reached.

    A goal of scroll depth matches the views of the page in visits that got that far.
    """
    conditions: list[Filter] = [Compare(Op.IS, Dimension.NAME, (goal.event or PAGEVIEW,))]
    if goal.page:
        conditions.append(_page(goal.page))
    if goal.scroll is not None:
        conditions.append(ScrolledTo(goal.scroll))
    conditions += [
        Compare(Op.IS, f"{PROPERTY_PREFIX}{key}", (value,)) for key, value in goal.properties
    ]
    return All(tuple(conditions))


def _page(pattern: str) -> Compare:
    if "*" not in pattern:
        return Compare(Op.IS, Dimension.PAGE, (pattern,))
    pieces = (re.escape(piece) for piece in re.split(r"\*+", pattern))
    return Compare(Op.MATCHES, Dimension.PAGE, (f"^{'.*'.join(pieces)}$",))


def _expand(filters: Iterable[Filter], site: Site, reader: str) -> list[Filter]:
    """Return *filters* with each segment replaced by its filters, as separate items where
    possible.
    """
    expanded: list[Filter] = []
    for each in filters:
        match each:
            case Compare(_, dimension) if dimension == SEGMENT:
                expanded.append(_of_segments(each, site, reader))
            case Any(inner):
                expanded.append(Any(tuple(All(tuple(_expand([f], site, reader))) for f in inner)))
            case All(inner):
                expanded.append(All(tuple(_expand(inner, site, reader))))
            case Not(inner):
                expanded.append(Not(All(tuple(_expand([inner], site, reader)))))
            case HasDone(inner, negated):
                expanded.append(HasDone(All(tuple(_expand([inner], site, reader))), negated))
            case InSequence(steps, next_event):
                inside = (All(tuple(_expand([step], site, reader))) for step in steps)
                expanded.append(InSequence(tuple(inside), next_event))
            case _:
                expanded.append(each)
    return [part for each in expanded for part in _conjuncts(each)]


def _conjuncts(condition: Filter) -> Iterable[Filter]:
    if isinstance(condition, All):
        for each in condition.filters:
            yield from _conjuncts(each)
    else:
        yield condition


def _of_segments(comparison: Compare, site: Site, reader: str) -> Filter:
    usable = {str(each.id): each for each in site.segments if each.owner in ("", reader)}
    for value in comparison.values:
        if value not in usable:
            shown = ", ".join(f"{number} ({each.name})" for number, each in usable.items())
            choice = f"choose from {shown}" if shown else "none is saved"
            raise Malformed("filters", f"there is no segment {value[:60]!r}; {choice}")
    chosen = Any(tuple(_of_segment(usable[value], site, reader) for value in comparison.values))
    match comparison.op:
        case Op.IS:
            return chosen.filters[0] if len(chosen.filters) == 1 else chosen
        case Op.IS_NOT:
            return Not(chosen)
        case _:
            raise Malformed("filters", "a segment is compared by is or is_not alone")


def _of_segment(segment: Segment, site: Site, reader: str) -> All:
    """Return the filters of *segment*. Raise `Malformed`, naming it, if no query can use them."""
    try:
        filters = query_json.filters_of(msgspec.json.decode(segment.filters), "filters")
        nested = any(_mentions(each, SEGMENT) for each in filters)
        chosen = All(() if nested else tuple(_expand(filters, site, reader)))
        FilterShape.of((_without_names(chosen, site),))
    except Malformed as error:
        raise _broken(segment, error.reason) from error
    if nested:
        raise _broken(segment, "it holds another segment")
    return chosen


def _broken(segment: Segment, reason: str) -> Malformed:
    return Malformed("filters", f"segment {segment.id} {segment.name!r}: {reason}")


def _without_names(condition: Filter, site: Site) -> Filter:
    """Return *condition* with the names of goals replaced by their filters."""

    def inside(inner: Filter) -> Filter:
        return _without_names(inner, site)

    match condition:
        case Compare(_, dimension) if dimension == Dimension.GOAL:
            return _of_goals(condition, site.goals)
        case All(filters):
            return All(tuple(map(inside, filters)))
        case Any(filters):
            return Any(tuple(map(inside, filters)))
        case Not(inner):
            return Not(inside(inner))
        case HasDone(inner, negated):
            return HasDone(inside(inner), negated)
        case InSequence(steps, next_event):
            return InSequence(tuple(map(inside, steps)), next_event)
        case _:
            return condition


def _of_goals(comparison: Compare, goals: Sequence[Goal]) -> Filter:
    if comparison.op in (Op.IS, Op.IS_NOT):
        names = [goal.name for goal in goals]
        for value in comparison.values:
            if not any(_fits(comparison, value)(name) for name in names):
                raise Malformed("filters", unknown("goal", value, names))
    chosen = [goal for goal in goals if _compares(comparison, goal.name)]
    reached = Any(tuple(filter_of(goal) for goal in chosen))
    return Not(reached) if comparison.op in _NEGATED else reached


def _compares(comparison: Compare, name: str) -> bool:
    """Return whether *comparison*, negated or not, matches *name*."""
    return any(_fits(comparison, value)(name) for value in comparison.values)


def _fits(comparison: Compare, value: str) -> Callable[[str], bool]:
    def folded(text: str) -> str:
        return text if comparison.case_sensitive else text.lower()

    match _NEGATED.get(comparison.op, comparison.op):
        case Op.IS:
            return lambda name: folded(name) == folded(value)
        case Op.CONTAINS:
            return lambda name: folded(value) in folded(name)
        case _:
            raise Malformed("filters", "a goal is compared by is and contains, not by matches")


def _admits(condition: Filter, name: str) -> bool:
    """Return whether rows of the goal *name* can match a top-level *condition* on goals."""
    if isinstance(condition, Compare):
        return _compares(condition, name) is not (condition.op in _NEGATED)
    return True


def _mentions(condition: Filter, dimension: str) -> bool:
    """Return whether *condition* compares *dimension* for the event itself, not for its visit."""
    return any(
        isinstance(each, Compare) and each.dimension == dimension and not inside
        for each, inside in walk((condition,))
    )


def _of_conversion(condition: Filter) -> bool:
    """Return whether *condition* is left out where all visitors are counted: goals, properties."""
    return any(
        isinstance(each, Compare)
        and not inside
        and (each.dimension == Dimension.GOAL or each.dimension.startswith(PROPERTY_PREFIX))
        for each, inside in walk((condition,))
    )
