"""The SQL of a machine's name, operator and purpose; "" for a person.

They follow from `bot` and `entry_browser`, which are the same in all rows of a visit.
"""

from __future__ import annotations

from typing import Final

from analytics import machines
from analytics.query import Dimension


def sql(dimension: str, row: str) -> str:
    """Return the SQL of *dimension* for the table alias *row*."""
    name = f"{row}.entry_browser"
    if dimension == Dimension.BOT_NAME:
        value = f"CASE WHEN {name} = '' THEN '{machines.UNNAMED}' ELSE {name} END"
    elif dimension == Dimension.BOT_OPERATOR:
        value = _looked_up(name, _OPERATORS, machines.UNKNOWN)
    else:
        value = _looked_up(name, _PURPOSES, machines.Purpose.OTHER)
    return f"(CASE WHEN {row}.bot IS NULL THEN '' ELSE {value} END)"


def _looked_up(name: str, table: str, otherwise: str) -> str:
    unverified = f"ends_with({name}, '{machines.UNVERIFIED_SUFFIX}')"
    return (
        f"CASE WHEN {unverified} THEN '{machines.UNVERIFIED}'"
        f" ELSE coalesce({table}[{name}], '{otherwise}') END"
    )


def _map(attribute: str) -> str:
    """Return a map from names: a chain of IN over all of them takes eight times as long."""
    every_machine = machines.all_known().values()
    pairs = (f"{_quoted(each.name)}: {_quoted(getattr(each, attribute))}" for each in every_machine)
    return f"MAP {{{', '.join(pairs)}}}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_OPERATORS: Final = _map("operator")
_PURPOSES: Final = _map("purpose")
