"""The columns of the rows in which each dimension lies, by whose value it is."""

from __future__ import annotations

from typing import Final

from analytics import dimension_facts
from analytics.dimension_facts import Level, is_property
from analytics.errors import Malformed
from analytics.query import TIME_DIMENSIONS, Dimension

TOTAL: Final = "total"
"""The dimension under which figures of the site as a whole are kept."""

VISIT_COLUMNS: Final = dimension_facts.columns(Level.VISIT)
EVENT_COLUMNS: Final = dimension_facts.columns(Level.EVENT, Level.PAGE)
EXIT_COLUMNS: Final = dimension_facts.columns(Level.EXIT)
PAGE_COLUMNS: Final = dimension_facts.columns(Level.PAGE)


def is_event(dimension: str) -> bool:
    """Return whether the value of *dimension* may differ between the events of one visit."""
    return dimension in EVENT_COLUMNS or dimension == Dimension.GOAL or is_property(dimension)


def is_unmeasured(dimension: str) -> bool:
    """Return whether a measurement of a page (an engagement ping) has no value of *dimension*."""
    return is_event(dimension) and dimension not in PAGE_COLUMNS


def check_dimension(dimension: str, field: str) -> None:
    """Raise `Malformed` unless it can be split or filtered by (time only split)."""
    if dimension == Dimension.GOAL and field == "filters":
        raise Malformed(field, "a goal must be resolved to its filter first")
    has_column = dimension in dimension_facts.DIMENSIONS or is_property(dimension)
    if has_column or (field == "dimensions" and dimension in TIME_DIMENSIONS):
        return
    if dimension in TIME_DIMENSIONS:
        raise Malformed(field, f"{dimension} cannot be filtered by; use date_range")
    raise Malformed(field, f"there is no dimension {dimension!r}")
