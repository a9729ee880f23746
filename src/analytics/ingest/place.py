"""Where an address is: country by default, region and city when the operator names a database."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import iptocc
import maxminddb

from analytics.breaker import Breaker
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
    """A MaxMind-format city or country database that the operator names.

    While it can't be read, every address is `NOWHERE`: no event is worth less than its place.
    """

    def __init__(self, path: Path, breaker: Breaker) -> None:
        self._path = path
        self._breaker = breaker
        self._reader: maxminddb.Reader | None = None
        try:
            self._reader = opened(path)
        except Misconfigured as exc:
            breaker.trip(str(exc))

    def of(self, address: str) -> Place:
        """See `Places.of`."""
        call = self._breaker.begin()
        if call is None:
            return NOWHERE
        try:
            if self._reader is None:
                self._reader = opened(self._path)
            found = self._reader.get(address)
        except (Misconfigured, OSError, maxminddb.InvalidDatabaseError) as exc:
            # Perhaps a better one lies there when we look again.
            self._reader = None
            call.failed(str(exc))
            return NOWHERE
        except ValueError:
            found = None  # no address
        call.succeeded()
        return _place(found) if isinstance(found, dict) else NOWHERE


def opened(path: Path) -> maxminddb.Reader:
    """The database at *path*. Raises `Misconfigured`."""
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as exc:
        raise Misconfigured(
            f"the geo database {path} can't be read ({exc}); "
            "name a .mmdb file in ingest.mmdb, or leave it empty for the built-in countries"
        ) from exc


def _place(found: object) -> Place:
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


def guard() -> Breaker:
    """The breaker of a database of places."""
    return Breaker("geo", "Events are kept, with no country, region or city.")


def open_places(database: Path | None, breaker: Breaker | None = None) -> Places:
    """The places of *database*, watched by *breaker*; or the built-in countries."""
    return DatabasePlaces(database, breaker or guard()) if database else CountryPlaces()
