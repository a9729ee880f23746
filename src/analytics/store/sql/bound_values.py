"""The values bound in a statement."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PARAMETER: Final = re.compile(r"\$(\w+)")


class Statement(NamedTuple):
    """SQL and the values bound in it."""

    sql: str
    values: dict[str, object]


class BoundValues:
    """The values bound while the SQL of a query is composed, in which they are `$p1`, `$p2`…

    SQL never contains a value itself, so `$` in it always begins a parameter.
    """

    def __init__(self, site: str) -> None:
        self._values: dict[str, object] = {}
        self._values["site"] = site

    def __call__(self, value: str | int) -> str:
        """Bind *value* and return the parameter that refers to it."""
        name = f"p{len(self._values)}"
        self._values[name] = value
        return f"${name}"

    def statement(self, sql: str) -> Statement:
        """Return *sql* with the values to which it refers; the engine accepts no others."""
        names = set(_PARAMETER.findall(sql))
        return Statement(sql, {name: self._values[name] for name in names})
