"""The SQL of the names of countries and regions, of which rows hold only the codes.

Rows are grouped by code, codes of the same name by the first of them, and only the groups are given
names: a map with every region takes twenty seconds for a million rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

from analytics import place_names
from analytics.query import Dimension

_NAMES: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    Dimension.COUNTRY_NAME: place_names.countries,
    Dimension.REGION_NAME: place_names.regions,
}
"""The names of each dimension that stands for another's codes."""


@cache
def _same(dimension: str) -> tuple[str, str]:
    """Return the codes that share a name with another, and the map to those that stand for them."""
    pairs = place_names.representatives(_NAMES[dimension]())
    return ", ".join(map(_quoted, pairs)), _map(pairs)


@cache
def _codes_and_names(dimension: str) -> tuple[str, str]:
    """Return a table of codes and names, and the map from the ones to the others."""
    names = _NAMES[dimension]()
    columns = f"unnest({_list(names)}) AS code, unnest({_list(names.values())}) AS name"
    return f"(SELECT {columns})", _map(names)


def key(dimension: str, column: str) -> str:
    """Return the code that stands for all of the name of the one in *column*, by which to group.

    Of other dimensions that is *column* itself.
    """
    codes, firsts = _same(dimension) if dimension in _NAMES else ("", "")
    if not codes:
        return column
    return f"(CASE WHEN {column} IN ({codes}) THEN {firsts}[{column}] ELSE {column} END)"


def name(dimension: str, key: str) -> str:
    """Return the name of the code in *key*, or *key* itself if it has none."""
    if dimension not in _NAMES:
        return key
    return f"coalesce({_codes_and_names(dimension)[1]}[{key}], {key})"


def matches(dimension: str, column: str, condition: Callable[[str], str]) -> str:
    """Return whether *condition* holds for the name of the code in *column*, or for *column*."""
    if dimension not in _NAMES:
        return condition(column)
    table, _ = _codes_and_names(dimension)
    return (
        f"({column} IN (SELECT code FROM {table} WHERE {condition('name')})"
        f" OR ({column} NOT IN (SELECT code FROM {table}) AND {condition(column)}))"
    )


def _map(pairs: Mapping[str, str]) -> str:
    return f"MAP({_list(pairs)}, {_list(pairs.values())})"


def _list(texts: Iterable[str]) -> str:
    """Return a list as one text that is split: thousands of literals take ten times as long."""
    joined = "\n".join(texts)
    return f"string_split({_quoted(joined)}, chr(10))"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
