"""The JSON of the Stats API: a question as a checked `Query`, and a figure of its answer.

Unknown members, metrics and dimensions are refused by name; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from analytics import bounds, date_range, decoding, localtime
from analytics.currency import decimals, rounded
from analytics.errors import UNDECODABLE, Malformed
from analytics.query import (
    MACHINE_DIMENSIONS,
    PROPERTY_PREFIX,
    All,
    Any,
    Compare,
    Dimension,
    Figure,
    Filter,
    HasDone,
    Metric,
    Not,
    Op,
    Order,
    Period,
    Query,
)
from analytics.site import Site
from analytics.store.sql.filter_shape import walk
from analytics.suggestions import unknown

MAX_LIMIT: Final = 10_000
SEGMENT: Final = "segment"
"""Stands for a dimension in filters; its values are the ids of segments."""
_MAX_DEPTH: Final = 8
_TIME: Final = "time"
_FIELDS: Final = (
    "site_id",
    "metrics",
    "date_range",
    "dimensions",
    "filters",
    "order_by",
    "include",
    "pagination",
)
_DIMENSIONS: Final = frozenset(Dimension)
_METRICS: Final = frozenset(Metric)
_PLAUSIBLE: Final = {
    "visit:country_name": "visit:country",
    "visit:region_name": "visit:region",
    "visit:city_name": "visit:city",
}
"""Dimensions of Plausible that are missing here, each with the nearest one."""
_MONEY: Final = (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE)
_OPERATORS: Final = (*Op, "and", "or", "not", "has_done", "has_not_done")
_INCLUDE: Final = ("time_labels", "total_rows", "imports", "bots")
_PAGINATION: Final = ("limit", "offset")
_ELSEWHERE: Final = {
    **{name: f"include.{name}" for name in _INCLUDE},
    **{name: f"pagination.{name}" for name in _PAGINATION},
    # The words of version 1.
    "period": "date_range",
    "property": "dimensions",
    "interval": "dimensions",
    "page": "pagination.offset",
}
"""The right place of members that are often sent in the wrong one."""


class QueryBody(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a request's body, each of the right type, before its site is known."""

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
    bots: bool
    """Whether machines count, too."""
    limit: int
    offset: int

    def period(self, timezone: str, now: int, first_event: int | None) -> Period:
        """Return the requested period in *timezone*. Raise `Malformed`."""
        return date_range.resolve(self.date_range, timezone, now, first_event)

    def query(self, site: Site, period: Period) -> Query:
        """Return the query; the dimension `time` becomes hours for one day, else days."""
        usual = Dimension.DAY if _days(period) > 1 else Dimension.HOUR
        query = Query(
            site=site.domain,
            metrics=self.metrics,
            period=period,
            dimensions=tuple(usual if d == _TIME else d for d in self.dimensions),
            filters=self.filters,
            order_by=tuple(
                Order(usual, o.descending) if o.key == _TIME else o for o in self.order_by
            ),
            limit=self.limit,
            offset=self.offset,
            total_rows=self.total_rows,
            bots=self.bots,
        )
        check_machines(query, "include.bots")
        return query


def parse(body: bytes) -> QueryBody:
    """Return the question in a request's body. Raise `Malformed`, naming the wrong member."""
    try:
        sent = msgspec.json.decode(body)
    except UNDECODABLE as exc:
        raise decoding.malformed(exc, body=body) from exc
    members = _members(sent, "", _FIELDS)
    include = _members(members.get("include", {}), "include", _INCLUDE)
    pagination = _members(members.get("pagination", {}), "pagination", _PAGINATION)
    filters = _list(members.get("filters", []), "filters")
    return QueryBody(
        site_id=_text(members.get("site_id"), "site_id"),
        metrics=_metrics(members.get("metrics")),
        date_range=members.get("date_range"),
        dimensions=tuple(
            dimension(d, f"dimensions[{i}]", time=True)
            for i, d in enumerate(_list(members.get("dimensions", []), "dimensions"))
        ),
        filters=filters_of(filters, "filters"),
        sent_filters=filters,
        order_by=_orders(members.get("order_by", [])),
        time_labels=_flag(include, "time_labels"),
        total_rows=_flag(include, "total_rows"),
        imports=_flag(include, "imports"),
        bots=_flag(include, "bots"),
        limit=_whole(pagination, "limit", MAX_LIMIT, least=1, most=MAX_LIMIT),
        offset=_whole(pagination, "offset", 0, least=0, most=1_000_000_000),
    )


def check_machines(query: Query, switch: str) -> None:
    """Raise `Malformed` where *query* asks about machines and leaves them out.

    *switch* is the parameter by which they count.
    """
    if query.bots:
        return
    compared = (each.dimension for each, _ in walk(query.filters) if isinstance(each, Compare))
    for name in (*query.dimensions, *compared):
        if name in MACHINE_DIMENSIONS:
            raise Malformed(switch, f"{name} tells machines apart: set {switch} to true")


def _days(period: Period) -> int:
    last = localtime.day_of(period.timezone, period.end - 1)
    return last - localtime.day_of(period.timezone, period.start) + 1


def _metrics(sent: object) -> tuple[Metric, ...]:
    names = _list(sent, "metrics")
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
    known = [*Dimension] if not time else [_TIME, *Dimension]
    raise Malformed(
        field,
        unknown("dimension", name, known, f", {PROPERTY_PREFIX}<name>", elsewhere=_PLAUSIBLE),
    )


def _orders(sent: object) -> tuple[Order, ...]:
    orders = []
    for i, order in enumerate(_list(sent, "order_by")):
        field = f"order_by[{i}]"
        pair = _list(order, field)
        if len(pair) != 2 or pair[1] not in ("asc", "desc"):
            raise Malformed(field, 'must be ["<metric or dimension>", "asc" or "desc"]')
        orders.append(Order(_text(pair[0], field), descending=pair[1] == "desc"))
    return tuple(orders)


def filters_of(sent: object, field: str) -> tuple[Filter, ...]:
    """Return the filters that a list of JSON says. Raise `Malformed`, naming the wrong part.

    They may still compare goals and segments by their names (`named_filters.py`).
    """
    return tuple(_filter(f, f"{field}[{i}]", 0) for i, f in enumerate(_list(sent, field)))


def _filter(sent: object, field: str, depth: int) -> Filter:
    parts = _list(sent, field)
    if depth > _MAX_DEPTH:
        raise Malformed(field, f"filters lie at most {_MAX_DEPTH} deep in each other")
    match parts:
        case ["and" | "or" as joint, inner]:
            inside = _list(inner, field)
            if not inside:
                raise Malformed(field, f"{joint} needs at least one filter")
            filters = tuple(_filter(f, f"{field}[1][{i}]", depth + 1) for i, f in enumerate(inside))
            return All(filters) if joint == "and" else Any(filters)
        case ["not", inner]:
            return Not(_filter(inner, f"{field}[1]", depth + 1))
        case ["has_done" | "has_not_done" as done, inner]:
            return HasDone(_filter(inner, f"{field}[1]", depth + 1), done == "has_not_done")
        case [str(op), name, values] | [str(op), name, values, _] if op in frozenset(Op):
            return Compare(
                Op(op),
                SEGMENT if name == SEGMENT else dimension(name, f"{field}[1]"),
                _values(values, f"{field}[2]"),
                _case_sensitive(parts[3] if len(parts) > 3 else {}, f"{field}[3]"),
            )
    if parts and parts[0] not in _OPERATORS:
        raise Malformed(f"{field}[0]", unknown("operator", parts[0], _OPERATORS))
    raise Malformed(
        field,
        'must be ["<operator>", "<dimension>", ["<value>", …]], ["not", <filter>] or'
        ' ["and", [<filter>, …]]; has_done and has_not_done take the form of not or of and',
    )


def _values(sent: object, field: str) -> tuple[str, ...]:
    values = _list(sent, field)
    if not values or len(values) > bounds.VALUES:
        raise Malformed(field, f"must have between 1 and {bounds.VALUES:,} values")
    return tuple(_value(value, f"{field}[{i}]") for i, value in enumerate(values))


def _value(sent: object, field: str) -> str:
    """Return a value to compare with: a text, also an empty one, or a whole number as text."""
    if isinstance(sent, int) and not isinstance(sent, bool):
        return str(sent)
    return sent if sent == "" else _text(sent, field)


def _case_sensitive(sent: object, field: str) -> bool:
    return _flag(_members(sent, field, ("case_sensitive",)), "case_sensitive", usual=True)


# ---- kinds of JSON values


def _members(sent: object, field: str, known: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(sent, dict):
        raise Malformed(field, "must be an object")
    for name in sent:
        if name not in known:
            path = f"{field}.{name}" if field else name
            elsewhere = _ELSEWHERE.get(name, "")
            if elsewhere and elsewhere != path:
                raise Malformed(path, f"is not known here; did you mean {elsewhere}?")
            raise Malformed(path, unknown("member", name, known))
    return sent


def _list(sent: object, field: str) -> list[object]:
    if not isinstance(sent, list):
        example = msgspec.json.encode([sent]).decode() if isinstance(sent, str) else "[…]"
        raise Malformed(field, "is missing" if sent is None else f"must be a list: {example[:80]}")
    return sent


def _text(sent: object, field: str) -> str:
    if not isinstance(sent, str) or not sent:
        raise Malformed(field, "is missing" if sent is None else "must be a text")
    return sent


def _flag(members: Mapping[str, object], name: str, *, usual: bool = False) -> bool:
    value = members.get(name, usual)
    if not isinstance(value, bool):
        raise Malformed(name, "must be true or false")
    return value


def _whole(members: Mapping[str, object], name: str, usual: int, *, least: int, most: int) -> int:
    value = members.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"pagination.{name}", f"must be a whole number from {least} to {most:,}")
    return value


def figure(metric: Metric, value: Figure) -> object:
    """Return a figure as JSON: a number, or an amount of money as a mapping.

    The mapping has the keys `value` (a number), `currency`, and `short` and `long` (texts, rounded
    to whole units and to the currency's decimals).
    """
    if metric not in _MONEY or not isinstance(value, str):
        return value
    amount, _, currency = value.partition(" ")
    return {
        "value": float(amount),
        "currency": currency,
        "short": f"{currency} {rounded(Decimal(amount), 0)}",
        "long": f"{currency} {rounded(Decimal(amount), decimals(currency))}",
    }
