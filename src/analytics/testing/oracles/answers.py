"""An oracle that computes figures slowly and plainly from events, to compare a store with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from math import floor
from typing import Final

from analytics import zones
from analytics.event import PAGEVIEW, Hit
from analytics.query import (
    PROPERTY_PREFIX,
    TIME_DIMENSIONS,
    All,
    Any,
    Compare,
    DailyRates,
    Dimension,
    Figure,
    Filter,
    HasDone,
    InSequence,
    Metric,
    Not,
    Op,
    Order,
    Query,
    ResultRow,
    ScrolledTo,
)
from analytics.testing.oracles.events import (
    OracleEvent,
    OracleVisit,
    bucket,
    shown,
    value,
    visits_of,
)

_EPOCH: Final = date(1970, 1, 1)

# ---- filters: True, False, or None where a measurement of a page cannot be compared


class EventFilters:
    """Filters on events, all of which must hold."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._all = All(tuple(filters))

    def event(self, event: OracleEvent) -> bool:
        """Return whether all filters match *event*."""
        return self._holds(self._all, event, page_only=False) is True

    def page(self, event: OracleEvent) -> bool:
        return self._holds(self._all, event, page_only=True) is not False

    def visit(self, visit: OracleVisit) -> bool:
        return any(self.event(e) for e in visit.events if e.counts)

    def _holds(self, condition: Filter, event: OracleEvent, *, page_only: bool) -> bool | None:
        def inner(f: Filter) -> bool | None:
            return self._holds(f, event, page_only=page_only)

        match condition:
            case Compare():
                if page_only and _is_unmeasured(condition):
                    return None
                return _compare(condition, value(condition.dimension, event))
            case All(filters):
                found = [inner(f) for f in filters]
                return False if False in found else None if None in found else True
            case Any(filters):
                found = [inner(f) for f in filters]
                return True if True in found else None if None in found else False
            case Not(one):
                result = inner(one)
                return None if result is None else not result
            case HasDone(one, negated):
                events = event.visit.events if event.visit else []
                done = any(self._holds(one, e, page_only=False) is True for e in events if e.counts)
                return done is not negated
            case InSequence(steps, next_event):
                return self._in_sequence(steps, event, next_event=next_event)
            case ScrolledTo(depth):
                readings = (e.hit for e in (event.visit.events if event.visit else []))
                return any(
                    hit.path == event.hit.path
                    and hit.scroll_depth is not None
                    and hit.scroll_depth >= depth
                    for hit in readings
                )

    def _in_sequence(
        self, steps: Sequence[Filter], event: OracleEvent, *, next_event: bool
    ) -> bool:
        """Return whether the visit goes through *steps*, or whether *event* comes right after
        them.
        """
        to_come = iter(event.visit.in_order if event.visit else [])
        completed = all(
            any(self._holds(step, each, page_only=False) is True for each in to_come)
            for step in steps
        )
        return completed and (not next_event or next(to_come, None) is event)


def _compare(condition: Compare, value: str) -> bool:
    def fold(text: str) -> str:
        return text if condition.case_sensitive else text.lower()

    match condition.op:
        case Op.IS | Op.IS_NOT:
            name = shown(condition.dimension, value)
            holds = any(fold(v) == fold(value) or v == name for v in condition.values)
        case Op.CONTAINS | Op.CONTAINS_NOT:
            holds = any(fold(v) in fold(value) for v in condition.values)
        case _:
            flags = 0 if condition.case_sensitive else re.IGNORECASE
            holds = any(re.search(v, value, flags) for v in condition.values)
    return holds is not (condition.op in (Op.IS_NOT, Op.CONTAINS_NOT, Op.MATCHES_NOT))


# ---- the answer


def answer(hits: Sequence[Hit], query: Query) -> tuple[ResultRow, ...]:
    """Return the rows with which a store must answer *query* after *hits* (each id once), in
    order.
    """
    mine = [
        event
        for event in visits_of(hits)
        if event.hit.site == query.site and (query.bots or event.hit.bot is None)
    ]
    return _Answer(mine, query).rows()


Keys = tuple[str, ...]


class _Answer:
    def __init__(self, events: Sequence[OracleEvent], query: Query) -> None:
        self._query = query
        self._filters = EventFilters(query.filters)
        self._goals = [(goal.name, EventFilters((goal.filter,))) for goal in query.goals]
        span = range(query.period.start, query.period.end)
        self._everything = [e for e in events if e.counts and e.hit.ts in span]
        self._events = [e for e in self._everything if self._filters.event(e)]
        base = EventFilters(query.base_filters or ())
        self._base = [e for e in self._everything if base.event(e)]
        visits = {e.visit: None for e in events if e.visit and e.visit.start in span}
        self._visits = [v for v in visits if self._filters.visit(v)]
        self._by_page = not {Dimension.PAGE, Dimension.HOSTNAME}.isdisjoint(query.dimensions)

    def rows(self) -> tuple[ResultRow, ...]:
        dimensions, metrics = self._query.dimensions, self._query.metrics
        keys: Iterable[Keys] = [()]
        if dimensions:
            keys = dict.fromkeys(self._present())
        rows = [
            ResultRow(
                tuple(shown(d, k) for d, k in zip(dimensions, key, strict=True)),
                tuple(self._metric(metric, key) for metric in metrics),
            )
            for key in keys
        ]
        rows.sort(key=lambda row: row.dimensions)
        for order in reversed(_orders(self._query)):
            rows.sort(key=_sorter(self._query, order), reverse=order.descending)
        if self._query.fewest_visitors:
            visitors = metrics.index(Metric.VISITORS)
            rows.sort(key=lambda row: _below(row.metrics[visitors], self._query.fewest_visitors))
        return tuple(rows[self._query.offset : self._query.offset + self._query.limit])

    def _present(self) -> Iterator[Keys]:
        of_visits = {
            Metric.VISITS,
            Metric.BOUNCE_RATE,
            Metric.VISIT_DURATION,
            Metric.VIEWS_PER_VISIT,
        }
        of_pages = {Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH, Metric.EXITS, Metric.EXIT_RATE}
        options = set(self._query.metrics)
        visits = bool(options & of_visits) and not self._by_page
        if not visits or options - of_visits - of_pages:
            for each in self._events:
                yield from self._keys(each, each.hit.ts)
        if visits:
            yield from (self._key(v.events[0], v.start) for v in self._visits)

    def _keys(self, event: OracleEvent, ts: int) -> Iterator[Keys]:
        """Yield one key, or one for each goal that the event reaches."""
        key = self._key(event, ts)
        if Dimension.GOAL not in self._query.dimensions:
            yield key
            return
        at = self._query.dimensions.index(Dimension.GOAL)
        for name, goal in self._goals:
            if goal.event(event):
                yield (*key[:at], name, *key[at + 1 :])

    def _key(self, event: OracleEvent, ts: int) -> Keys:
        return tuple(
            bucket(d, ts, self._query.period)
            if d in TIME_DIMENSIONS
            else ""
            if d == Dimension.GOAL
            else value(d, event)
            for d in self._query.dimensions
        )

    def _metric(self, metric: Metric, key: Keys) -> Figure:
        match metric:
            case (
                Metric.VISITORS
                | Metric.PAGEVIEWS
                | Metric.EVENTS
                | Metric.PERCENTAGE
                | Metric.CONVERSIONS
                | Metric.CONVERSION_RATE
                | Metric.GROUP_CONVERSION_RATE
            ):
                return self._of_events(metric, key)
            case Metric.TOTAL_REVENUE | Metric.AVERAGE_REVENUE:
                return self._revenue(metric, key)
            case Metric.TIME_ON_PAGE | Metric.SCROLL_DEPTH:
                return self._of_pages(metric, key)
            case Metric.EXITS:
                return self._exits(key)
            case Metric.EXIT_RATE:
                return _rounded(100 * self._exits(key), self._exit_views(key), 100, None)
            case _:
                return self._of_visits(metric, key)

    def _of_events(self, metric: Metric, key: Keys) -> Figure:
        events = [e for e in self._events if key in self._keys(e, e.hit.ts)]
        visitors = len({e.hit.visitor for e in events})
        match metric:
            case Metric.CONVERSIONS:
                return len(events)
            case Metric.CONVERSION_RATE:
                when = self._times(key)
                base = {
                    e.hit.visitor for e in self._base if self._times(self._key(e, e.hit.ts)) == when
                }
                return _rounded(100 * visitors, len(base), 100, 0)
            case Metric.GROUP_CONVERSION_RATE:
                base = {e.hit.visitor for e in self._base if self._key(e, e.hit.ts) == key}
                return _rounded(100 * visitors, len(base), 100, 0)
            case Metric.PAGEVIEWS:
                return sum(e.hit.name == PAGEVIEW for e in events)
            case Metric.EVENTS:
                return len(events)
            case Metric.PERCENTAGE:
                return _rounded(100 * visitors, len({e.hit.visitor for e in self._events}), 100, 0)
            case _:
                return visitors

    def _times(self, key: Keys) -> Keys:
        """Return the part of *key* that is a time."""
        pairs = zip(self._query.dimensions, key, strict=True)
        return tuple(k for d, k in pairs if d in TIME_DIMENSIONS)

    def _exits(self, key: Keys) -> int:
        exits = [v.exit for v in self._visits]
        return sum(
            e is not None and e.visit is not None and self._key(e, e.visit.start) == key
            for e in exits
        )

    def _exit_views(self, key: Keys) -> int:
        """Return the pageviews of the page, whichever page was the last of their visits."""
        kept = EventFilters([each for each in self._query.filters if not _is_of_exits(each)])
        to_view: dict[str, str] = {
            Dimension.EXIT_PAGE: Dimension.PAGE,
            Dimension.EXIT_HOSTNAME: Dimension.HOSTNAME,
        }
        return sum(
            tuple(
                bucket(d, e.hit.ts, self._query.period)
                if d in TIME_DIMENSIONS
                else value(to_view.get(d, d), e)
                for d in self._query.dimensions
            )
            == key
            for e in self._everything
            if e.hit.name == PAGEVIEW and kept.event(e)
        )

    def _of_visits(self, metric: Metric, key: Keys) -> Figure:
        by_matches = self._by_page and any(map(_is_unmeasured, self._query.filters))
        if by_matches:
            begun = [
                v
                for v in self._visits
                if any(
                    e.counts and self._key(e, v.start) == key and self._filters.event(e)
                    for e in v.events
                )
            ]
        else:
            begun = [v for v in self._visits if self._key(v.events[0], v.start) == key]
        nothing = None if self._by_page else 0
        match metric:
            case Metric.BOUNCE_RATE:
                return _rounded(100 * sum(v.bounced for v in begun), len(begun), 1, nothing)
            case Metric.VISIT_DURATION:
                total = sum(v.last - v.first for v in begun)
                return _rounded(total, 1000 * len(begun), 1, None)
            case Metric.VIEWS_PER_VISIT:
                return _rounded(sum(len(v.views) for v in begun), len(begun), 100, nothing)
            case _:
                if by_matches or not self._by_page:
                    return len(begun)
                return sum(
                    any(self._key(e, v.start) == key and self._filters.page(e) for e in v.views)
                    for v in self._visits
                )

    def _of_pages(self, metric: Metric, key: Keys) -> Figure:
        there = {
            visit: [
                e
                for e in visit.events
                if self._key(e, visit.start) == key and self._filters.page(e)
            ]
            for visit in self._visits
        }
        if metric is Metric.TIME_ON_PAGE:
            viewed = sum(any(e.hit.name == PAGEVIEW for e in events) for events in there.values())
            engaged = sum(e.hit.engaged_ms for events in there.values() for e in events)
            return _rounded(engaged, 1000 * viewed, 1, None) if engaged else None
        readings = [
            [e.hit.scroll_depth for e in events if e.hit.scroll_depth is not None]
            for events in there.values()
        ]
        deepest = [max(each) for each in readings if each]
        return _rounded(sum(deepest), len(deepest), 1, None)

    def _revenue(self, metric: Metric, key: Keys) -> Figure:
        paid = [
            e.hit
            for e in self._events
            if key in self._keys(e, e.hit.ts) and e.hit.revenue is not None
        ]
        amounts = [_converted(hit, self._currency(key), self._query) for hit in paid]
        if len({currency for _, currency in amounts}) != 1:
            return None
        total = sum((amount for amount, _ in amounts), Decimal(0))
        if metric is Metric.AVERAGE_REVENUE:
            thousandths = floor(Fraction(total) * 1000 / len(paid) + Fraction(1, 2))
            total = Decimal(thousandths).scaleb(-3)
        total = total.quantize(Decimal("0.001"), ROUND_FLOOR)
        return f"{total} {amounts[0][1]}"

    def _currency(self, key: Keys) -> str:
        """The currency in which revenue is summed."""
        if Dimension.GOAL not in self._query.dimensions:
            return self._query.currency
        name = key[self._query.dimensions.index(Dimension.GOAL)]
        return next(goal.currency for goal in self._query.goals if goal.name == name)


def _converted(hit: Hit, currency: str, query: Query) -> tuple[Decimal, str]:
    """The revenue of *hit* in *currency*, or as it was sent where there is no rate."""
    amount = Decimal(hit.revenue or 0)
    zone = zones.zone(query.period.timezone)
    day = (datetime.fromtimestamp(hit.ts / 1000, UTC).astimezone(zone).date() - _EPOCH).days
    own, other = (_rate(query.rates, each, day) for each in (hit.currency, currency))
    if currency == hit.currency or own is None or other is None:
        return amount, hit.currency
    thousandths = abs(Fraction(amount)) * 1000 * other / own
    size = Decimal(floor(thousandths + Fraction(1, 2))).scaleb(-3)
    return size.copy_sign(amount), currency


def _rate(rates: DailyRates | None, currency: str, day: int) -> Fraction | None:
    """The last rate of *currency* on *day* or the week before."""
    quoted = [
        Fraction(text)
        for each in (rates.currencies if rates else ())
        if each.currency == currency
        for at, text in zip(rates.days if rates else (), each.rates, strict=True)
        if text and day - 7 <= at <= day
    ]
    return quoted[-1] if quoted else None


def _is_unmeasured(condition: Filter) -> bool:
    """Return whether it compares a name, title or property, which a page's measurement lacks."""
    match condition:
        case Compare():
            return condition.dimension in (
                Dimension.NAME,
                Dimension.TITLE,
                Dimension.CURRENCY,
            ) or condition.dimension.startswith(PROPERTY_PREFIX)
        case All(filters) | Any(filters):
            return any(map(_is_unmeasured, filters))
        case Not(inner):
            return _is_unmeasured(inner)
        case _:
            return False


def _is_of_exits(condition: Filter) -> bool:
    match condition:
        case Compare():
            return condition.dimension in (Dimension.EXIT_PAGE, Dimension.EXIT_HOSTNAME)
        case All(filters) | Any(filters):
            return any(map(_is_of_exits, filters))
        case Not(inner) | HasDone(inner):
            return _is_of_exits(inner)
        case InSequence(steps):
            return any(map(_is_of_exits, steps))
        case _:
            return False


def _below(visitors: Figure, fewest: int) -> bool:
    return isinstance(visitors, int) and visitors < fewest


def _rounded(numerator: int, denominator: int, scale: int, nothing: Figure) -> Figure:
    """Return the quotient, rounded half up to 1/scale."""
    if denominator == 0:
        return nothing
    whole = floor(Fraction(scale * numerator, denominator) + Fraction(1, 2))
    return whole if scale == 1 else whole / scale


def _orders(query: Query) -> Sequence[Order]:
    if query.order_by:
        return query.order_by
    timed = [Order(d, descending=False) for d in query.dimensions if d in TIME_DIMENSIONS]
    return [*timed, Order(query.metrics[0].value)]


def _sorter(query: Query, order: Order) -> Callable[[ResultRow], tuple[bool, Decimal | str]]:
    """Return the sort key; a missing value comes last in either direction."""

    def by(row: ResultRow) -> tuple[bool, Decimal | str]:
        if order.key in query.dimensions:
            return False, row.dimensions[query.dimensions.index(order.key)]
        value = row.metrics[[m.value for m in query.metrics].index(order.key)]
        if value is None:
            return not order.descending, Decimal(0)
        return order.descending, Decimal(str(value).split()[0])

    return by
