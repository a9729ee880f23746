"""Look up the location of an address: its country, and region and city if the table has them.

The table that comes with the package knows countries; the operator may name a better one. Either is
a guess: docs/reference-data.md says how often it is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import maxminddb

from analytics import durable_file
from analytics.breaker import Breaker
from analytics.errors import Misconfigured
from analytics.ingest.text import clean

BUILT_IN: Final = Path(str(files("analytics.ingest") / "data" / "countries.mmdb"))
_CACHED: Final = 8192
_LOOK_EVERY_S: Final = 10.0
"""The interval, in seconds, at which the file's identity is checked."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""The IPv6 prefix that embeds IPv4 addresses (RFC 6052)."""


class Place(NamedTuple):
    """ISO 3166-1 country, ISO 3166-2 region, and a city's English name; "" where unknown."""

    country: str = ""
    region: str = ""
    city: str = ""


NOWHERE: Final = Place()


class Places(Protocol):
    """Finds the place of an address."""

    def of(self, address: str) -> Place:
        """Return the location of an IP address; `NOWHERE` when it is unknown or private."""


class PlaceTable(NamedTuple):
    """An open location database."""

    path: Path
    made: date

    def __str__(self) -> str:
        name = "the countries that come with the package" if self.path == BUILT_IN else self.path
        return f"{name}, made on {self.made}"


class CountryPlaces:
    """The table of countries that comes with the package: always available, less precise."""

    def __init__(self) -> None:
        self._reader = opened(BUILT_IN)
        self._cached_place = lru_cache(_CACHED)(self._look_up)

    def of(self, address: str) -> Place:
        """See `Places.of`."""
        return self._cached_place(address)

    def _look_up(self, address: str) -> Place:
        try:
            inside = _embedded(address)
        except ValueError:
            return NOWHERE  # no address
        # For some unassigned networks the table names the country of their registry.
        return _place(self._reader.get(inside)) if inside.is_global else NOWHERE


class DatabasePlaces:
    """A file in MaxMind's format, reopened when it has been replaced.

    While it cannot be read, every address is `NOWHERE`: an event without a location is better than
    none.
    """

    def __init__(
        self, path: Path, breaker: Breaker, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._breaker = breaker
        self._clock = clock
        self._look_at = clock() + _LOOK_EVERY_S
        self._identity = durable_file.identity(path)
        self._reader: maxminddb.Reader | None = None
        self._cached_place = lru_cache(_CACHED)(self._look_up)
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
            self._refresh()
            place = self._cached_place(address)
        except (Misconfigured, OSError, maxminddb.InvalidDatabaseError) as exc:
            # A valid file may have replaced it by the next check.
            self._reader = None
            call.failed(str(exc))
            return NOWHERE
        call.succeeded()
        return place

    def _refresh(self) -> None:
        """Open the file if none is open, or if it has been replaced."""
        if self._reader is not None and self._clock() < self._look_at:
            return
        self._look_at = self._clock() + _LOOK_EVERY_S
        identity = durable_file.identity(self._path)
        if self._reader is not None and identity == self._identity:
            return
        try:
            self._reader = opened(self._path)
        except Misconfigured:
            if self._reader is None:
                raise
            return  # it may be half written; keep the open one
        self._identity = identity
        self._cached_place.cache_clear()

    def _look_up(self, address: str) -> Place:
        if self._reader is None:
            return NOWHERE
        try:
            record = self._reader.get(_embedded(address))
        except ValueError:
            return NOWHERE  # no address
        return _place(record)


def opened(path: Path) -> maxminddb.Reader:
    """Open the database at *path*. Raises `Misconfigured`."""
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as exc:
        raise Misconfigured(
            f"the geo database {path} can't be read ({exc}); "
            "name a .mmdb file in ingest.mmdb, or leave it empty for the built-in countries"
        ) from exc


def table(path: Path | None) -> PlaceTable:
    """Return the table in force: that at *path*, or the built-in one. Raises `Misconfigured`."""
    with opened(path or BUILT_IN) as reader:
        build_date = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date()
    return PlaceTable(path or BUILT_IN, build_date)


def _embedded(address: str) -> IPv4Address | IPv6Address:
    """Return *address*, or the IPv4 address embedded in an IPv6 address of a known form."""
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return parsed
    if inside := parsed.ipv4_mapped or parsed.sixtofour:
        return inside
    if parsed.teredo is not None:
        return parsed.teredo[1]
    if parsed in _TRANSLATED:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed


def _place(record: object) -> Place:
    # MaxMind and DB-IP nest the code; ip-location-db and IPinfo have it as text.
    country = (
        _text(record, "country", "iso_code")
        or _text(record, "country_code")
        or _text(record, "country")
    ).upper()
    if len(country) != 2:
        country = ""
    division = _text(record, "subdivisions", 0, "iso_code")
    city = _text(record, "city", "names", "en") or _text(record, "city")
    return Place(
        country=country,
        region=f"{country}-{division}" if country and division else "",
        city=clean(city, 120),
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
    """Return the circuit breaker of a location database."""
    return Breaker("geo", "Events are kept, with no country, region or city.")


def open_places(database: Path | None, breaker: Breaker | None = None) -> Places:
    """Return the locations of *database*, behind *breaker*; without one, the built-in countries."""
    return DatabasePlaces(database, breaker or guard()) if database else CountryPlaces()
