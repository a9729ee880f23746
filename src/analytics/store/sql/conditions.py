"""A filter as a condition on one row: true where the filter holds for that event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from analytics.errors import Malformed
from analytics.query import All, Any, Compare, Dimension, Filter, HasDone, Not, Op
from analytics.store.sql import columns

PARTLY: Final = "NULL::BOOLEAN"
"""Neither true nor false: what a condition says of a row that it does not speak about."""

_NEGATED: Final = frozenset({Op.IS_NOT, Op.CONTAINS_NOT, Op.MATCHES_NOT})
_MATCHING: Final = frozenset({Op.MATCHES, Op.MATCHES_NOT})


class BoundValues:
    """The values of a statement: each is bound, and stands there as `$1`, `$2`…"""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def __call__(self, value: str | int) -> str:
        """Bind *value*; the text that stands for it."""
        name = f"p{len(self.values) + 1}"
        self.values[name] = value
        return f"${name}"


class Conditions:
    """Compiles the filters of one query, and knows what they ask of the statement around them."""

    def __init__(self, filters: Sequence[Filter], bound: BoundValues) -> None:
        self._filters = filters
        self._bound = bound
        compared = list(_compared(filters))
        for dimension in (*compared, *_compared_within_visits(filters)):
            columns.check_dimension(dimension, "filters")
        self.by_event = any(columns.is_event(dimension) for dimension in compared)
        """Whether the filters tell events of one visit apart."""
        self.by_page = Dimension.PAGE in compared
        self.by_exit = any(
            dimension in columns.EXIT_COLUMNS
            for dimension in (*compared, *_compared_within_visits(filters))
        )
        """Whether `exits` must be joined (see `last_views`)."""

    def of_event(self, row: str) -> str:
        """Whether the filters hold for the event *row*."""
        return self._all(self._filters, row, page_only=False)

    def of_page(self, row: str) -> str:
        """Whether what the filters say about pages, and about the visit, holds for *row*.

        A measurement of a page (an engagement ping) has no name or properties to compare.
        """
        return f"coalesce({self._all(self._filters, row, page_only=True)}, true)"

    def _all(self, filters: Sequence[Filter], row: str, *, page_only: bool) -> str:
        return " AND ".join(self._one(f, row, page_only=page_only) for f in filters) or "true"

    def _one(self, given: Filter, row: str, *, page_only: bool) -> str:
        match given:
            case Compare():
                return self._compare(given, row, page_only=page_only)
            case All(filters):
                return f"({self._all(filters, row, page_only=page_only)})"
            case Any(filters):
                parts = (self._one(f, row, page_only=page_only) for f in filters)
                return f"({' OR '.join(parts) or 'false'})"
            case Not(inner):
                return f"(NOT {self._one(inner, row, page_only=page_only)})"
            case HasDone(inner, negated):
                done = self._has_done(inner)
                return f"({row}.session {'NOT IN' if negated else 'IN'} ({done}))"

    def _has_done(self, inner: Filter) -> str:
        """The visits that have such an event, anywhere in their course."""
        exits = "LEFT JOIN exits dx ON dx.session = d.session" if self.by_exit else ""
        return (
            f"SELECT d.session FROM rows d {exits} WHERE d.site = $site AND d.session <> 0"
            " AND d.name <> 'engagement' AND d.session_start >= (SELECT earliest FROM span)"
            " AND d.session_start <= (SELECT latest FROM span)"
            f" AND {self._one(inner, 'd', page_only=False)}"
        )

    def _compare(self, given: Compare, row: str, *, page_only: bool) -> str:
        dimension = given.dimension
        if page_only and columns.is_event(dimension) and dimension not in columns.PAGE_COLUMNS:
            return PARTLY
        if not given.values:
            raise Malformed("filters", f"{dimension} {given.op} needs at least one value")
        column = column_sql(dimension, row, self._bound)
        positive = self._any_of(given, column)
        return f"(NOT {positive})" if given.op in _NEGATED else positive

    def _any_of(self, given: Compare, column: str) -> str:
        values: list[str] = list(given.values)
        if given.op in _MATCHING:
            options = "'c'" if given.case_sensitive else "'i'"
            return f"regexp_matches({column}, {self._bound(any_of(values))}, {options})"
        if not given.case_sensitive:
            column = f"lower({column})"
        if given.op in (Op.CONTAINS, Op.CONTAINS_NOT):
            if len(values) == 1:
                return f"contains({column}, {self._text(values[0], given)})"
            # One pass over the text for all of them; a chain of OR would be one for each.
            pattern = self._text(any_of(map(re.escape, values)), given)
            return f"regexp_matches({column}, {pattern}, 'c')"
        if columns.blank(given.dimension) in values:
            values.append("")  # the answer shows the blank by that name
        return f"({column} IN ({', '.join(self._text(v, given) for v in values)}))"

    def _text(self, value: str, given: Compare) -> str:
        bound = self._bound(value)
        return bound if given.case_sensitive else f"lower({bound})"


def column_sql(dimension: str, row: str, bound: BoundValues) -> str:
    """The value of *dimension* for the event *row*, or for the visit that it is part of."""
    if dimension in columns.VISIT_COLUMNS:
        return f"{row}.{columns.VISIT_COLUMNS[dimension]}"
    if dimension in columns.EXIT_COLUMNS:
        return f"coalesce({row}x.{columns.EXIT_COLUMNS[dimension]}, '')"
    if (key := columns.property_key(dimension)) is not None:
        return f"coalesce({row}.props[{bound(key)}], '')"
    return f"{row}.{columns.EVENT_COLUMNS[dimension]}"


def needs_span(filters: Iterable[Filter]) -> bool:
    """Whether some filter looks at a visit's whole course."""
    return any(True for _ in _has_dones(filters))


def any_of(patterns: Iterable[str]) -> str:
    """Return the regular expression that matches what one of *patterns* matches."""
    first, *others = patterns
    return "|".join(f"(?:{each})" for each in (first, *others)) if others else first


def patterns(filters: Iterable[Filter]) -> Iterator[str]:
    """Every regular expression in *filters*, and after those of one comparison, them together."""
    for given in filters:
        match given:
            case Compare(op, _, values) if op in _MATCHING:
                yield from values
                yield any_of(values)
            case All(inner) | Any(inner):
                yield from patterns(inner)
            case Not(one) | HasDone(one):
                yield from patterns((one,))


def _has_dones(filters: Iterable[Filter]) -> Iterable[HasDone]:
    for given in filters:
        match given:
            case HasDone():
                yield given
            case All(inner) | Any(inner):
                yield from _has_dones(inner)
            case Not(one):
                yield from _has_dones((one,))
            case Compare():
                pass


def _compared_within_visits(filters: Iterable[Filter]) -> Iterable[str]:
    """Every dimension compared inside a `has_done`."""
    for done in _has_dones(filters):
        yield from _compared((done.filter,))
        yield from _compared_within_visits((done.filter,))


def _compared(filters: Iterable[Filter]) -> Iterable[str]:
    """Every dimension compared with the event itself, outside any `has_done`."""
    for given in filters:
        match given:
            case Compare():
                yield given.dimension
            case All(inner) | Any(inner):
                yield from _compared(inner)
            case Not(one):
                yield from _compared((one,))
            case HasDone():
                pass
