"""Where an address is: country by default, region and city when the operator names a database."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import iptocc
import maxminddb

from analytics.errors import Misconfigured
from analytics.ingest.text import clean


class Place(NamedTuple):
    """ISO 3166-1 country, ISO 3166-2 region, and a city's English name; "" where unknown."""

    country: str = ""
    region: str = ""
    city: str = ""


NOWHERE: Final = Place()


class Places(Protocol):
    """Finds the place of an address."""

    def of(self, address: str) -> Place:
        """The place of an IPv4 or IPv6 address; `NOWHERE` for what is unknown or private."""


class CountryPlaces:
    """The country to which a registry allocated the address: approximate, and always there."""

    def of(self, address: str) -> Place:
        """See `Places.of`."""
        return _country(address)


@lru_cache(maxsize=1024)
def _country_place(code: str) -> Place:
    return Place(country=code)


def _country(address: str) -> Place:
    code = iptocc.country_code(address)
    return _country_place(code) if code else NOWHERE


class DatabasePlaces:
    """A MaxMind-format city or country database that the operator names."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, maxminddb.InvalidDatabaseError) as exc:
            raise Misconfigured(
                f"the geo database {path} can't be read ({exc}); "
                "name a .mmdb file in ingest.mmdb, or leave it empty for the built-in countries"
            ) from exc

    def of(self, address: str) -> Place:
        """See `Places.of`."""
        try:
            found = self._reader.get(address)
        except ValueError:
            return NOWHERE
        if not isinstance(found, dict):
            return NOWHERE
        country = _text(found, "country", "iso_code")
        division = _text(found, "subdivisions", 0, "iso_code")
        return Place(
            country=country.upper()[:2],
            region=f"{country}-{division}" if country and division else "",
            city=clean(_text(found, "city", "names", "en"), 120),
        )


def _text(record: object, *path: str | int) -> str:
    for step in path:
        if isinstance(record, dict) and isinstance(step, str):
            record = record.get(step)
        elif isinstance(record, list) and isinstance(step, int) and len(record) > step:
            record = record[step]
        else:
            return ""
    return record if isinstance(record, str) else ""


def open_places(database: Path | None) -> Places:
    """The places of *database*, or the built-in countries."""
    return DatabasePlaces(database) if database else CountryPlaces()
