"""The demands of filters on the statement around them, computed in one walk over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from analytics.query import (
    All,
    Any,
    Compare,
    Dimension,
    Filter,
    HasDone,
    InSequence,
    Not,
    Op,
    ScrolledTo,
)
from analytics.store.sql import columns

REGEX_OPS: Final = frozenset({Op.MATCHES, Op.MATCHES_NOT})
"""Operators whose values are regular expressions in RE2's syntax."""


class FilterShape(NamedTuple):
    """The properties of a query's filters on which its statements depend."""

    by_event: bool
    """Whether a condition outside `has_done` can differ between the events of one visit."""
    by_page: bool
    """Whether a condition outside `has_done` compares the page."""
    by_unmeasured: bool
    """Whether a condition outside `has_done` compares what a measurement of a page lacks: a name, a
    title or a property."""
    by_exit: bool
    """Whether any condition compares a visit's last pageview, so that `exits` must be joined."""
    has_done: bool
    """Whether a condition looks at the whole course of a visit."""
    patterns: tuple[str, ...]
    """Every regular expression, and the alternation of those of one comparison."""

    @classmethod
    def of(cls, filters: Sequence[Filter], others: Iterable[Filter] = ()) -> FilterShape:
        """Return the shape of *filters*; raise `Malformed` for a dimension that has no column.

        *others* are used in the same statement, but choose no visits.
        """
        chosen = [*walk(filters)]
        nested = [*chosen, *walk(others)]
        own = [each for each, inside in chosen if isinstance(each, Compare) and not inside]
        comparisons = [each for each, _ in nested if isinstance(each, Compare)]
        scrolled = any(isinstance(each, ScrolledTo) and not inside for each, inside in chosen)
        next_event = any(isinstance(each, InSequence) and each.next_event for each, _ in chosen)
        for comparison in comparisons:
            columns.check_dimension(comparison.dimension, "filters")
        return cls(
            by_event=scrolled
            or next_event
            or any(columns.is_event(each.dimension) for each in own),
            by_page=scrolled or any(each.dimension == Dimension.PAGE for each in own),
            by_unmeasured=any(columns.is_unmeasured(each.dimension) for each in own),
            by_exit=any(each.dimension in columns.EXIT_COLUMNS for each in comparisons),
            has_done=any(isinstance(each, HasDone | InSequence | ScrolledTo) for each, _ in nested),
            patterns=tuple(
                dict.fromkeys(
                    pattern
                    for each in comparisons
                    if each.op in REGEX_OPS and each.values
                    for pattern in (*each.values, any_of(each.values))
                )
            ),
        )


def walk(filters: Iterable[Filter], *, inside: bool = False) -> Iterator[tuple[Filter, bool]]:
    """Yield each filter, the nested ones too, and whether it lies inside a `has_done`."""
    for each in filters:
        yield each, inside
        match each:
            case All(inner) | Any(inner):
                yield from walk(inner, inside=inside)
            case Not(one):
                yield from walk((one,), inside=inside)
            case HasDone(one):
                yield from walk((one,), inside=True)
            case InSequence(steps):
                yield from walk(steps, inside=True)
            case Compare() | ScrolledTo():
                pass


def any_of(patterns: Iterable[str]) -> str:
    """Return the regular expression that matches what one of *patterns* matches."""
    first, *others = patterns
    return "|".join(f"(?:{each})" for each in (first, *others)) if others else first
