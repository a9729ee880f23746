"""Where an address is: by the built-in countries, or by the operator's own file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from analytics.breaker import Breaker, Outcome, State
from analytics.errors import Misconfigured
from analytics.ingest.place import NOWHERE, CountryPlaces, Place, Places, open_places, opened

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
    assert breaker.state is State.OPEN
    assert "cities.mmdb" in breaker.fault
    assert places.of("203.0.113.9") == NOWHERE
    write_cities(path)
    assert places.of("203.0.113.9") == NOWHERE, "it is left alone for a moment"
    clock.now += 10
    assert places.of("203.0.113.9").city == "Berlin"
    assert breaker.state is State.CLOSED


def test_a_damaged_file_costs_places_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cities.mmdb"
    write_cities(path)
    whole = path.read_bytes()
    marker = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(b"\xff" * (marker - 200) + whole[marker - 200 :])
    breaker = Breaker("geo", "no place")
    places = open_places(path, breaker)
    assert {places.of(f"203.0.113.{number}") for number in range(20)} == {NOWHERE}
    assert breaker.outcomes[Outcome.FAILED] > 0
    assert breaker.state is State.OPEN


@given(st.ip_addresses().map(str))
def test_every_address_is_somewhere_or_nowhere(address: str) -> None:
    place = CountryPlaces().of(address)
    assert place == NOWHERE or len(place.country) == 2
