"""The JSON of the Stats API: parses and checks queries.

Unknown members, metrics and dimensions are refused by name; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import structs

from analytics import bounds, date_range, decoding, localtime
from analytics.api import comparisons
from analytics.api.comparisons import AskedComparison
from analytics.api.json_members import (
    INCLUDE,
    PAGINATION,
    flag,
    list_of,
    members,
    text,
    whole_number,
)
from analytics.api.sent_query import MAX_LIMIT, MAX_OFFSET, SentQuery
from analytics.errors import UNDECODABLE, Malformed
from analytics.query import (
    MACHINE_DIMENSIONS,
    PROPERTY_PREFIX,
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    HasDone,
    InSequence,
    Metric,
    Not,
    Op,
    Order,
    Period,
    Query,
)
from analytics.site import Site
from analytics.store.sql import columns, query_cost
from analytics.store.sql.filter_shape import walk
from analytics.suggestions import unknown

SEGMENT: Final = "segment"
"""Stands for a dimension in filters; its values are the ids of segments."""
_MAX_DEPTH: Final = 8
_TIME: Final = "time"
_DIMENSIONS: Final = frozenset(Dimension)
_METRICS: Final = frozenset(Metric)
_OPS: Final = frozenset(Op)
_OPERATORS: Final = (*Op, "and", "or", "not", "has_done", "has_not_done", "sequence")


class QueryBody(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a request's body, whose types are checked, before its site is known."""

    site_id: str
    metrics: tuple[Metric, ...]
    date_range: object
    dimensions: tuple[str, ...]
    filters: tuple[Filter, ...]
    sent_filters: Sequence[object]
    order_by: tuple[Order, ...]
    time_labels: bool
    total_rows: bool
    imports: bool
    comparison: AskedComparison | None
    sent_comparison: object
    bots: bool
    """Whether to include machines."""
    limit: int
    offset: int

    def period(self, timezone: str, now: int, first_event: int | None) -> Period:
        """Return the requested period in *timezone*. Raise `Malformed`."""
        return date_range.resolve(self.date_range, timezone, now, first_event)

    def query(self, site: Site, period: Period) -> Query:
        """Return the query; the dimension `time` becomes hours for one day, else days."""
        usual = Dimension.DAY if _days(period) > 1 else Dimension.HOUR
        return Query(
            site=site.domain,
            metrics=self.metrics,
            period=period,
            dimensions=tuple(usual if d == _TIME else d for d in self.dimensions),
            filters=_of_next_events(self.filters, self.dimensions),
            order_by=tuple(
                Order(usual, o.descending) if o.key == _TIME else o for o in self.order_by
            ),
            limit=self.limit,
            offset=self.offset,
            total_rows=self.total_rows,
            bots=self.bots,
            imports=self.imports,
        )


def parse(body: bytes) -> QueryBody:
    """Return the query in a request's body. Raise `Malformed`, naming the wrong member."""
    try:
        sent = msgspec.json.decode(body)
    except UNDECODABLE as exc:
        raise decoding.malformed(exc, body=body) from exc
    fields = members(sent, "", SentQuery.__struct_fields__)
    include = members(fields.get("include", {}), "include", INCLUDE)
    pagination = members(fields.get("pagination", {}), "pagination", PAGINATION)
    filters = list_of(fields.get("filters", []), "filters")
    return QueryBody(
        site_id=text(fields.get("site_id"), "site_id"),
        metrics=_metrics(fields.get("metrics")),
        date_range=fields.get("date_range"),
        dimensions=tuple(
            dimension(d, f"dimensions[{i}]", time=True)
            for i, d in enumerate(list_of(fields.get("dimensions", []), "dimensions"))
        ),
        filters=filters_of(filters, "filters"),
        sent_filters=filters,
        order_by=_orders(fields.get("order_by", [])),
        time_labels=flag(include, "time_labels"),
        total_rows=flag(include, "total_rows"),
        imports=flag(include, "imports"),
        comparison=comparisons.parse(include["comparisons"])
        if include.get("comparisons")
        else None,
        sent_comparison=include.get("comparisons"),
        bots=flag(include, "bots"),
        limit=whole_number(pagination, "limit", MAX_LIMIT, least=1, most=MAX_LIMIT),
        offset=whole_number(pagination, "offset", 0, least=0, most=MAX_OFFSET),
    )


def check_machines(query: Query, switch: str) -> None:
    """Raise `Malformed` where *query* asks about machines and leaves them out.

    *switch* is the parameter by which they count. Segments are resolved before, as one may compare
    machines, too.
    """
    check_machine_filters(query.filters, switch, bots=query.bots, dimensions=query.dimensions)


def check_machine_filters(
    filters: Sequence[Filter], switch: str, *, bots: bool, dimensions: Sequence[str] = ()
) -> None:
    """Raise `Malformed` where *filters* or *dimensions* are about machines, without *bots*."""
    if bots:
        return
    compared = (each.dimension for each, _ in walk(filters) if isinstance(each, Compare))
    for name in (*dimensions, *compared):
        if name in MACHINE_DIMENSIONS:
            raise Malformed(switch, f"{name} tells machines apart: set {switch} to true")


def _of_next_events(filters: tuple[Filter, ...], dimensions: Sequence[str]) -> tuple[Filter, ...]:
    """Return *filters*; in a query by event, a sequence that is the only filter selects the next
    event.
    """
    match filters:
        case (InSequence() as sequence,) if any(map(columns.is_event, dimensions)):
            return (structs.replace(sequence, next_event=True),)
        case _:
            return filters


def _days(period: Period) -> int:
    last = localtime.day_of(period.timezone, period.end - 1)
    return last - localtime.day_of(period.timezone, period.start) + 1


def _metrics(sent: object) -> tuple[Metric, ...]:
    names = list_of(sent, "metrics")
    if not names:
        raise Malformed("metrics", "name at least one metric")
    if len(set(map(str, names))) < len(names):
        raise Malformed("metrics", "name each of them once")
    return tuple(metric(name, f"metrics[{i}]") for i, name in enumerate(names))


def metric(name: object, field: str) -> Metric:
    """Return the metric *name*. Raise `Malformed`, naming *field*."""
    if isinstance(name, str) and name in _METRICS:
        return Metric(name)
    raise Malformed(field, unknown("metric", name, Metric))


def dimension(name: object, field: str, *, time: bool = False) -> str:
    """Return the dimension *name*; with *time*, `time` is one, too. Raise `Malformed`."""
    if isinstance(name, str):
        if time and name == _TIME:
            return name
        is_property = name.startswith(PROPERTY_PREFIX) and len(name) > len(PROPERTY_PREFIX)
        if name in _DIMENSIONS or is_property:
            return name
    names = [*Dimension] if not time else [_TIME, *Dimension]
    raise Malformed(
        field,
        unknown("dimension", name, names, f", {PROPERTY_PREFIX}<name>"),
    )


def _orders(sent: object) -> tuple[Order, ...]:
    orders = []
    for i, order in enumerate(list_of(sent, "order_by")):
        field = f"order_by[{i}]"
        pair = list_of(order, field)
        if len(pair) != 2 or pair[1] not in ("asc", "desc"):
            raise Malformed(field, 'must be ["<metric or dimension>", "asc" or "desc"]')
        orders.append(Order(text(pair[0], field), descending=pair[1] == "desc"))
    return tuple(orders)


def filters_of(sent: object, field: str) -> tuple[Filter, ...]:
    """Return the filters in a JSON list. Raise `Malformed`, naming the wrong part.

    Goals and segments in them are not resolved yet (`named_filters.py`).
    """
    filters = list_of(sent, field)
    query_cost.check_sent(*_size(filters), field)
    return tuple(_filter(f, f"{field}[{i}]", 0) for i, f in enumerate(filters))


def _size(filters: Iterable[object], depth: int = 0) -> tuple[int, int]:
    """Return how many comparisons and values *filters* hold as sent, whatever else is wrong there.

    Counting takes a small part of the time in which they are read, on the event loop.
    """
    comparisons = values = 0
    for each in filters:
        match each:
            case ["and" | "or" | "sequence", [*inner]] if depth < _MAX_DEPTH:
                more = _size(inner, depth + 1)
            case ["not" | "has_done" | "has_not_done", [*_] as inner] if depth < _MAX_DEPTH:
                more = _size((inner,), depth + 1)
            case [_, name, [*compared], *_]:
                # A segment stands for one comparison at least.
                more = (len(compared) if name == SEGMENT else 1, len(compared))
            case _:
                more = (1, 0)
        comparisons, values = comparisons + more[0], values + more[1]
    return comparisons, values


def _filter(sent: object, field: str, depth: int) -> Filter:
    parts = list_of(sent, field)
    if depth > _MAX_DEPTH:
        raise Malformed(field, f"filters lie at most {_MAX_DEPTH} deep in each other")
    match parts:
        case ["and" | "or" as joint, inner]:
            inside = list_of(inner, field)
            if not inside:
                raise Malformed(field, f"{joint} needs at least one filter")
            filters = tuple(_filter(f, f"{field}[1][{i}]", depth + 1) for i, f in enumerate(inside))
            return All(filters) if joint == "and" else Any(filters)
        case ["not", inner]:
            return Not(_filter(inner, f"{field}[1]", depth + 1))
        case ["has_done" | "has_not_done" as done, inner]:
            return HasDone(_filter(inner, f"{field}[1]", depth + 1), done == "has_not_done")
        case ["sequence", steps]:
            inside = list_of(steps, field)
            if not inside:
                raise Malformed(field, "sequence needs at least one filter")
            return InSequence(
                tuple(_filter(f, f"{field}[1][{i}]", depth + 1) for i, f in enumerate(inside))
            )
        case [str(op), name, values] | [str(op), name, values, _] if op in _OPS:
            return Compare(
                Op(op),
                SEGMENT if name == SEGMENT else dimension(name, f"{field}[1]"),
                _values(values, f"{field}[2]"),
                _case_sensitive(parts[3] if len(parts) > 3 else {}, f"{field}[3]"),
            )
        case ["matches_wildcard" | "matches_wildcard_not" as op, name, values]:
            return wildcards(
                dimension(name, f"{field}[1]"),
                _values(values, f"{field}[2]"),
                negated=op == "matches_wildcard_not",
            )
    if parts and parts[0] not in _OPERATORS:
        raise Malformed(f"{field}[0]", unknown("operator", parts[0], _OPERATORS))
    raise Malformed(
        field,
        'must be ["<operator>", "<dimension>", ["<value>", …]], ["not", <filter>] or'
        ' ["and", [<filter>, …]]; or and sequence take the form of and, has_done and has_not_done'
        " that of not",
    )


def wildcards(name: str, values: Sequence[str], *, negated: bool) -> Compare:
    """Return the comparison with *values* in which `*` is any text without a slash, `**` any."""
    patterns = (
        "".join(
            ".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part)
            for part in re.split(r"(\*\*|\*)", value)
        )
        for value in values
    )
    operator = Op.MATCHES_NOT if negated else Op.MATCHES
    return Compare(operator, name, tuple(f"^{pattern}$" for pattern in patterns))


def _values(sent: object, field: str) -> tuple[str, ...]:
    values = list_of(sent, field)
    if not values or len(values) > bounds.VALUES:
        raise Malformed(field, f"must have between 1 and {bounds.VALUES:,} values")
    return tuple(_value(value, f"{field}[{i}]") for i, value in enumerate(values))


def _value(sent: object, field: str) -> str:
    """Return a value of a filter: a text, possibly empty, or a whole number as text."""
    if isinstance(sent, int) and not isinstance(sent, bool):
        return str(sent)
    return sent if sent == "" else text(sent, field)


def _case_sensitive(sent: object, field: str) -> bool:
    return flag(members(sent, field, ("case_sensitive",)), "case_sensitive", usual=True)
