"""Where an address is: by the built-in countries, or by the operator's own file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from analytics.breaker import Breaker, BreakerState, CallOutcome
from analytics.errors import Misconfigured
from analytics.ingest.geolocation import (
    NOWHERE,
    DatabasePlaces,
    Place,
    Places,
    guard,
    open_places,
    opened,
    table,
)

BERLIN = {
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "subdivisions": [{"iso_code": "BE"}],
    "city": {"names": {"en": "Berlin", "de": "Berlin"}},
}
STRANGE = {"country": ["DE"], "subdivisions": [], "city": {"names": {"en": 5}}}
RECORDS: dict[str, object] = {
    "203.0.113.0/24": BERLIN,
    "2001:db8::/32": {"country": {"iso_code": "fr"}},
    "198.51.100.0/25": {"city": {"names": {"en": "No\x00where"}}, "subdivisions": [{}]},
    "198.51.100.128/25": STRANGE,
    "192.0.2.0/24": "text",
    "198.18.0.0/24": {"country_code": "pt"},
    "198.18.1.0/24": {"country": "JP", "city": "Kyoto", "continent": "AS"},
    "198.18.2.0/24": {"country_code": "", "country": "Unknown"},
}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def write_cities(path: Path) -> None:
    writer = MMDBWriter(6, "Test-City", ipv4_compatible=True)
    for network, found in RECORDS.items():
        writer.insert_network(IPSet([network]), found)
    writer.to_db_file(str(path))


@pytest.fixture
def cities(tmp_path: Path) -> Places:
    path = tmp_path / "cities.mmdb"
    write_cities(path)
    return open_places(path)


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("8.8.8.8", "US"),
        ("2a00:1450:4001:81b::200e", "IE"),
        ("::ffff:8.8.8.8", "US"),
        ("2002:0808:0808::1", "US"),
        ("64:ff9b::8.8.8.8", "US"),
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "US"),
        ("193.0.6.139", "NL"),
        ("2001:67c:2e8:22::c100:68b", "NL"),
        ("127.0.0.1", ""),
        ("10.0.0.1", ""),
        ("203.0.113.9", ""),
        ("::1", ""),
        ("fe80::1%eth0", ""),
        ("testclient", ""),
    ],
)
def test_countries_are_there_from_the_beginning(address: str, country: str) -> None:
    assert open_places(None).of(address) == Place(country=country)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.9", Place("DE", "DE-BE", "Berlin")),
        ("2001:db8::7", Place("FR")),
        ("198.51.100.1", Place(city="Nowhere")),
        ("198.51.100.200", NOWHERE),
        ("192.0.2.1", NOWHERE),
        ("198.18.0.1", Place("PT")),
        ("198.18.1.1", Place("JP", "", "Kyoto")),
        ("198.18.2.1", NOWHERE),
        ("::ffff:203.0.113.9", Place("DE", "DE-BE", "Berlin")),
        ("8.8.8.8", NOWHERE),
        ("fe80::1%eth0", NOWHERE),
        ("nonsense", NOWHERE),
    ],
)
def test_a_file_of_the_operators_knows_regions_and_cities(
    cities: Places, address: str, place: Place
) -> None:
    assert cities.of(address) == place


@pytest.mark.parametrize("content", [None, b"", b"no database at all"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "wrong.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"wrong\.mmdb.*ingest\.mmdb"):
        opened(path)


@pytest.mark.parametrize("content", [None, b"", b"no database at all"])
def test_without_its_file_every_address_is_nowhere_until_there_is_one(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "cities.mmdb"
    if content is not None:
        path.write_bytes(content)
    clock = Clock()
    breaker = Breaker("geo", "no place", clock=clock)
    places = open_places(path, breaker)
    assert breaker.state is BreakerState.OPEN
    assert "cities.mmdb" in breaker.fault
    assert places.of("203.0.113.9") == NOWHERE
    write_cities(path)
    assert places.of("203.0.113.9") == NOWHERE, "it is left alone for a moment"
    clock.now += 10
    assert places.of("203.0.113.9").city == "Berlin"
    assert breaker.state is BreakerState.CLOSED


def test_a_damaged_file_costs_places_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cities.mmdb"
    write_cities(path)
    whole = path.read_bytes()
    marker = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(b"\xff" * (marker - 200) + whole[marker - 200 :])
    breaker = Breaker("geo", "no place")
    places = open_places(path, breaker)
    assert {places.of(f"203.0.113.{number}") for number in range(20)} == {NOWHERE}
    assert breaker.outcomes[CallOutcome.FAILED] > 0
    assert breaker.state is BreakerState.OPEN


@given(st.ip_addresses().map(str))
def test_every_address_is_somewhere_or_nowhere(address: str) -> None:
    place = open_places(None).of(address)
    assert place == NOWHERE or len(place.country) == 2


def test_a_file_that_takes_anothers_name_is_in_force_without_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "cities.mmdb", Clock()
    write_cities(path)
    places = DatabasePlaces(path, guard(), clock)
    assert places.of("203.0.113.9").city == "Berlin"
    newer = MMDBWriter(6, "Test-City", ipv4_compatible=True)
    newer.insert_network(IPSet(["203.0.113.0/24"]), {"country_code": "AT"})
    newer.to_db_file(str(tmp_path / "newer.mmdb"))
    (tmp_path / "half.mmdb").write_bytes((tmp_path / "newer.mmdb").read_bytes()[:100])
    (tmp_path / "half.mmdb").replace(path)
    clock.now += 11
    assert places.of("203.0.113.9").city == "Berlin", "a file that can't be read is none yet"
    (tmp_path / "newer.mmdb").replace(path)
    clock.now += 11
    assert places.of("203.0.113.9") == Place("AT")


def test_a_table_says_what_it_is_and_how_old(tmp_path: Path) -> None:
    path = tmp_path / "cities.mmdb"
    write_cities(path)
    assert str(table(path)).startswith(str(path))
    built_in = table(None)
    assert "come with the package" in str(built_in)
    assert str(built_in.made) in str(built_in)


def test_the_built_in_table_keeps_its_licence_beside_it() -> None:
    notice = files("analytics.ingest") / "data" / "countries.NOTICE.txt"
    assert "CC BY 4.0" in notice.read_text("utf-8")
