"""The one table of time zones: that of the `tzdata` package, whatever the system has.

Python's own `ZoneInfo(name)` prefers the system's table, which may be years older, and engines
bring theirs along: a day would begin at different instants on two machines, or in two parts of one
process. Nothing else here may import `zoneinfo`; the linter of imports holds us to it.
"""

from __future__ import annotations

from datetime import tzinfo
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

VERSION: Final[str] = tzdata.IANA_VERSION
"""Of the table, as IANA names it: `2026f`."""


@cache
def names() -> frozenset[str]:
    """Return the name of every zone in the table, links included."""
    return frozenset(resources.files(tzdata).joinpath("zones").read_text().split())


@cache
def zone(name: str) -> tzinfo:
    """Return the zone called *name*. Raise `KeyError` if the table lacks it."""
    if name not in names():
        raise KeyError(name)
    with resources.files(tzdata).joinpath("zoneinfo", name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def places() -> tuple[str, ...]:
    """Return one name for each zone of each country, without old aliases."""
    return tuple(sorted({line.split("\t")[2] for line in _lines("zone.tab")}))


@cache
def countries() -> tuple[str, ...]:
    """Return the ISO 3166-1 code of every country, and XK, which Kosovo uses without having one."""
    return (*(line.split("\t")[0] for line in _lines("iso3166.tab")), "XK")


def _lines(name: str) -> list[str]:
    text = resources.files(tzdata).joinpath("zoneinfo", name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
