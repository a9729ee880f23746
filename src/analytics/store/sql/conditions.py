"""Filters as SQL conditions on one row: true where they match that event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics import dimension_facts
from analytics.errors import Malformed
from analytics.query import (
    All,
    Any,
    Compare,
    Filter,
    HasDone,
    InSequence,
    Not,
    Op,
    Query,
    ScrolledTo,
)
from analytics.store.sql import columns, place_columns
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.filter_shape import REGEX_OPS, FilterShape, any_of
from analytics.store.sql.keys import column_sql, place_sql

PARTLY: Final = "NULL::BOOLEAN"
"""The value of a condition that does not apply to a row: neither true nor false."""

_NEGATED: Final = frozenset({Op.IS_NOT, Op.CONTAINS_NOT, Op.MATCHES_NOT})


class RowConditions(NamedTuple):
    """The filters of a query as SQL conditions on the row `r`."""

    event: str
    """True where the filters match the event."""
    page: str
    """True where the conditions on pages and on the visit match.

    A measurement of a page (an engagement ping) has no name or properties to compare.
    """
    base: str
    """True where the event is of those in percent of whom conversion rates are."""
    any_exit: str
    """True where the filters match that say nothing of the visit's last page."""
    goals: Sequence[tuple[str, str]]
    """The name of each goal, as a parameter, and the condition under which it is reached."""


def on_rows(query: Query, shape: FilterShape, bound: BoundValues) -> RowConditions:
    """Return the conditions of a query, the *shape* of whose filters is known."""
    compiler = _FilterCompiler(shape, bound)
    page = compiler.all(query.filters, "r", page_only=True)
    any_exit = [each for each in query.filters if not FilterShape.of((each,)).by_exit]
    return RowConditions(
        event=compiler.all(query.filters, "r", page_only=False),
        page=f"coalesce({page}, true)",
        base=compiler.all(query.base_filters or (), "r", page_only=False),
        any_exit=compiler.all(any_exit, "r", page_only=False),
        goals=[
            (bound(goal.name), compiler.all((goal.filter,), "r", page_only=False))
            for goal in query.goals
        ],
    )


def on_events(filters: Sequence[Filter], shape: FilterShape, bound: BoundValues) -> str:
    """Return the condition on the row `r` under which all *filters* match the event.

    *shape* is that of every filter of the statement.
    """
    return _FilterCompiler(shape, bound).all(filters, "r", page_only=False)


class _FilterCompiler:
    """Compiles filters to conditions on a row, given as a table alias."""

    def __init__(self, shape: FilterShape, bound: BoundValues) -> None:
        self._shape = shape
        self._bound = bound

    def all(self, filters: Sequence[Filter], row: str, *, page_only: bool) -> str:
        return " AND ".join(self._one(f, row, page_only=page_only) for f in filters) or "true"

    def _one(self, condition: Filter, row: str, *, page_only: bool) -> str:
        match condition:
            case Compare():
                return self._compare(condition, row, page_only=page_only)
            case All(filters):
                return f"({self.all(filters, row, page_only=page_only)})"
            case Any(filters):
                parts = (self._one(f, row, page_only=page_only) for f in filters)
                return f"({' OR '.join(parts) or 'false'})"
            case Not(inner):
                return f"(NOT {self._one(inner, row, page_only=page_only)})"
            case HasDone(inner, negated):
                done = self._has_done(inner)
                return f"({row}.session {'NOT IN' if negated else 'IN'} ({done}))"
            case InSequence(steps, next_event):
                done = self._in_sequence(steps)
                if not next_event:
                    return f"({row}.session IN (SELECT session FROM ({done})))"
                return f"(({row}.session, {place_sql(row)}) IN ({self._next_event(done)}))"
            case ScrolledTo(depth):
                return f"(({row}.session, {row}.path) IN ({self._scrolled_to(depth)}))"

    def _has_done(self, inner: Filter) -> str:
        """Return a select of the visits (`session`) with an event that *inner* matches."""
        return f"SELECT d.session FROM {self._done_from} WHERE {self._done_where(inner)}"

    def _in_sequence(self, steps: Sequence[Filter]) -> str:
        """Return a select of the visits (`session`) with events that match *steps* in order.

        And of the `place` of the event that completes them, each step as early as can be.
        """
        done = ""
        for step in steps:
            done = (
                f"SELECT d.session AS session, min({place_sql('d')}) AS place"
                f" FROM {self._done_from}{_after(done)} WHERE {self._done_where(step)}"
                " GROUP BY d.session"
            )
        return done

    def _next_event(self, done: str) -> str:
        """Return a select of visits and the place of their next event after that of *done*."""
        return (
            f"SELECT d.session, min({place_sql('d')}) FROM {self._done_from}{_after(done)}"
            f" WHERE {self._done_where(All(()))} GROUP BY d.session"
        )

    @property
    def _done_from(self) -> str:
        exits = " LEFT JOIN exits dx ON dx.session = d.session" if self._shape.by_exit else ""
        return f"rows d{exits}"

    def _done_where(self, inner: Filter) -> str:
        return (
            "d.site = $site AND d.session <> 0"
            " AND d.name <> 'engagement' AND d.session_start >= (SELECT earliest FROM span)"
            " AND d.session_start <= (SELECT latest FROM span)"
            f" AND {self._one(inner, 'd', page_only=False)}"
        )

    def _scrolled_to(self, depth: int) -> str:
        """Return a select of the visits (`session`) and the pages on which they got so far down."""
        return (
            "SELECT d.session, d.path FROM rows d WHERE d.site = $site AND d.session <> 0"
            " AND d.session_start >= (SELECT earliest FROM span)"
            " AND d.session_start <= (SELECT latest FROM span)"
            f" AND d.scroll_depth >= {self._bound(depth)}"
        )

    def _compare(self, comparison: Compare, row: str, *, page_only: bool) -> str:
        dimension = comparison.dimension
        if page_only and columns.is_unmeasured(dimension):
            return PARTLY
        if not comparison.values:
            raise Malformed("filters", f"{dimension} {comparison.op} needs at least one value")
        positive = place_columns.matches(
            dimension,
            column_sql(dimension, row, self._bound),
            lambda column: self._any_of(comparison, column),
        )
        return f"(NOT {positive})" if comparison.op in _NEGATED else positive

    def _any_of(self, comparison: Compare, column: str) -> str:
        values: list[str] = list(comparison.values)
        if comparison.op in REGEX_OPS:
            options = "'c'" if comparison.case_sensitive else "'i'"
            return f"regexp_matches({column}, {self._bound(any_of(values))}, {options})"
        if not comparison.case_sensitive:
            column = f"lower({column})"
        if comparison.op in (Op.CONTAINS, Op.CONTAINS_NOT):
            if len(values) == 1:
                return f"contains({column}, {self._text(values[0], comparison)})"
            # One pass over the text for all of them; a chain of OR would be one for each.
            pattern = self._text(any_of(map(re.escape, values)), comparison)
            return f"regexp_matches({column}, {pattern}, 'c')"
        if dimension_facts.blank(comparison.dimension) in values:
            values.append("")  # the answer shows the blank by that name
        return f"({column} IN ({', '.join(self._text(v, comparison) for v in values)}))"

    def _text(self, value: str, comparison: Compare) -> str:
        bound = self._bound(value)
        return bound if comparison.case_sensitive else f"lower({bound})"


def _after(done: str) -> str:
    """Return the join that leaves of the row `d` what comes after *done*; empty without that."""
    if not done:
        return ""
    return f" JOIN ({done}) c ON c.session = d.session AND {place_sql('d')} > c.place"
