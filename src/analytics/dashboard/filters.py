"""The filters of a report: in the query string, as chips on the page, and in queries.

In the query string each value is one `f=<operator>,<name>,<value>`. Several values with the same
operator and name match any of them. Names are those of dimensions without `event:` and `visit:`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from analytics import dimension_facts
from analytics.api.query_json import SEGMENT as SEGMENT
from analytics.errors import Malformed
from analytics.query import (
    MACHINE_DIMENSIONS,
    PLACE_NAME_DIMENSIONS,
    PROPERTY_PREFIX,
    Compare,
    Dimension,
    Op,
)
from analytics.suggestions import unknown

MAX_FILTERS: Final = 20
MAX_VALUE_CHARS: Final = 2000
_PROPERTY: Final = "props:"
DIMENSIONS: Final = {
    facts.name: each
    for each, facts in dimension_facts.DIMENSIONS.items()
    if each not in PLACE_NAME_DIMENSIONS
}
"""The dimension of each name in the query string."""

_SEGMENT_LABEL: Final = "Segment"
LABELS: Final = {
    name: dimension_facts.DIMENSIONS[dimension].label for name, dimension in DIMENSIONS.items()
}
"""The label of each name in the query string, in the order of the menus."""

OPERATORS: Final[dict[Op, str]] = {
    Op.IS: "is",
    Op.IS_NOT: "is not",
    Op.CONTAINS: "contains",
    Op.CONTAINS_NOT: "does not contain",
}


class Condition(NamedTuple):
    """One chip: a dimension compared with one value, or any of several."""

    op: Op
    name: str
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        """The dimension's label."""
        return label(self.name)

    @property
    def verb(self) -> str:
        """The operator in words."""
        return OPERATORS[self.op]


def is_about_events(conditions: Iterable[Condition]) -> bool:
    """Return True if *conditions* compare the name or a property of events.

    A plain page view has neither, so such conditions may exclude all page views.
    """
    by_name = dimension_facts.DIMENSIONS[Dimension.NAME].name
    return any(each.name == by_name or each.name.startswith(_PROPERTY) for each in conditions)


def is_about_machines(conditions: Iterable[Condition]) -> bool:
    """Return whether *conditions* tell machines apart, so that they must count."""
    return any(DIMENSIONS.get(each.name) in MACHINE_DIMENSIONS for each in conditions)


def is_about_goals(conditions: Iterable[Condition]) -> bool:
    """Return whether *conditions* choose goals, so that conversions are what counts."""
    by_goal = dimension_facts.DIMENSIONS[Dimension.GOAL].name
    return any(each.name == by_goal for each in conditions)


def label(name: str) -> str:
    """Return the label of the dimension *name*."""
    if name == SEGMENT:
        return _SEGMENT_LABEL
    return LABELS.get(name, name.removeprefix(_PROPERTY))


def dimension(name: str) -> str:
    """Return the dimension that *name* stands for. Raise `Malformed` for an unknown name."""
    if name.startswith(_PROPERTY) and len(name) > len(_PROPERTY):
        return PROPERTY_PREFIX + name.removeprefix(_PROPERTY)
    if name == SEGMENT:
        return SEGMENT
    if name not in DIMENSIONS:
        raise Malformed("f", unknown("dimension", name, DIMENSIONS, f", {_PROPERTY}<name>"))
    return DIMENSIONS[name]


def parse(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Return the conditions of the `f` values *texts*, in their order. Raise `Malformed`."""
    if len(texts) > MAX_FILTERS:
        raise Malformed("f", f"at most {MAX_FILTERS} filters, got {len(texts)}")
    merged: dict[tuple[Op, str], list[str]] = {}
    for text in texts:
        op, name, value = _split(text)
        values = merged.setdefault((op, name), [])
        if value not in values:
            values.append(value)
    return tuple(Condition(op, name, tuple(values)) for (op, name), values in merged.items())


def text(op: Op, name: str, value: str) -> str:
    """Return the `f` value of one comparison; a comma in a property's *name* is escaped."""
    escaped = name.replace("%", "%25").replace(",", "%2C")
    return f"{op.value},{escaped},{value}"


def _split(text: str) -> tuple[Op, str, str]:
    parts = text.split(",", 2)
    if len(parts) != 3:
        raise Malformed("f", f"the filter {text[:80]!r} is not of the form operator,name,value")
    operator, escaped, value = parts
    name = escaped.replace("%2C", ",").replace("%25", "%")
    matching = [op for op in OPERATORS if op.value == operator]
    if not matching:
        raise Malformed("f", unknown("operator", operator, OPERATORS))
    if len(value) > MAX_VALUE_CHARS:
        raise Malformed("f", f"a value is longer than {MAX_VALUE_CHARS} characters")
    dimension(name)
    return matching[0], name, value


def texts(conditions: Iterable[Condition]) -> list[str]:
    """Return the `f` values of *conditions*."""
    return [text(each.op, each.name, value) for each in conditions for value in each.values]


def compile_filters(conditions: Iterable[Condition]) -> tuple[Compare, ...]:
    """Return *conditions* as filters of a query; `contains` ignores case."""
    return tuple(
        Compare(
            each.op,
            dimension(each.name),
            each.values,
            case_sensitive=each.op in (Op.IS, Op.IS_NOT),
        )
        for each in conditions
    )


def as_json(conditions: Iterable[Condition]) -> str:
    """Return *conditions* in the JSON of the Stats API, as segments are kept. Raise `Malformed`."""
    sent: list[list[object]] = []
    for each in conditions:
        if each.name == SEGMENT:
            raise Malformed("f", "a segment cannot hold another; remove that filter first")
        comparison: list[object] = [each.op.value, dimension(each.name), each.values]
        if each.op not in (Op.IS, Op.IS_NOT):
            comparison.append({"case_sensitive": False})
        sent.append(comparison)
    return msgspec.json.encode(sent).decode()
