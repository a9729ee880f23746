"""The SQL of who a machine is: its name, its operator and its purpose, "" for a person.

They are read off `bot` and `entry_browser`, which every row of a visit has alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from analytics import machines
from analytics.query import Dimension


def sql(dimension: str, row: str) -> str:
    """Return the SQL of *dimension* for the table alias *row*."""
    name = f"{row}.entry_browser"
    if dimension == Dimension.BOT_NAME:
        known = f"WHEN {name} = '' THEN '{machines.UNNAMED}' ELSE {name}"
    elif dimension == Dimension.BOT_OPERATOR:
        known = f"{_unverified(name)} {_cases(name, _OPERATORS)} ELSE '{machines.UNKNOWN}'"
    else:
        known = f"{_unverified(name)} {_cases(name, _PURPOSES)} ELSE '{machines.Purpose.OTHER}'"
    return f"(CASE WHEN {row}.bot IS NULL THEN '' {known} END)"


def _unverified(name: str) -> str:
    return f"WHEN ends_with({name}, '{machines.UNVERIFIED_SUFFIX}') THEN '{machines.UNVERIFIED}'"


def _cases(name: str, names_of: Mapping[str, tuple[str, ...]]) -> str:
    return " ".join(
        f"WHEN {name} IN ({', '.join(map(_quoted, names))}) THEN {_quoted(value)}"
        for value, names in names_of.items()
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _names_by(attribute: str) -> Mapping[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for machine in machines.all_known().values():
        grouped[getattr(machine, attribute)].append(machine.name)
    return {value: tuple(names) for value, names in grouped.items()}


_OPERATORS: Final = _names_by("operator")
_PURPOSES: Final = _names_by("purpose")
