"""A site's rules refuse what they name, and nothing else."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.ingest import shields
from analytics.ingest.shields import Wildcard
from analytics.site import Shields


def refused(
    given: Shields,
    *,
    address: str = "203.0.113.9",
    country: str = "DE",
    hostname: str = "example.com",
    path: str = "/a",
) -> DropReason | None:
    rules = shields.rules(given)
    return rules.refuses(address=address, country=country, hostname=hostname, path=path)


def test_no_shields_refuse_nothing() -> None:
    given = shields.rules(Shields())
    assert (
        given.refuses(address="203.0.113.9", country="DE", hostname="a.example", path="/") is None
    )


@pytest.mark.parametrize(
    ("rule", "address", "hit"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        (" 203.0.113.9 ", "203.0.113.9", True),
        ("203.0.113.7/24", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.90", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "203.0.113.9", False),
        ("0.0.0.0/0", "::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
    ],
)
def test_addresses_and_networks(rule: str, address: str, hit: bool) -> None:
    reason = refused(Shields(addresses=("198.51.100.1", rule)), address=address)
    assert reason == (DropReason.SHIELD_IP if hit else None)


def test_a_rule_that_is_no_network_is_named() -> None:
    with pytest.raises(Malformed, match="nonsense"):
        shields.rules(Shields(addresses=("nonsense",)))


def test_countries_whatever_their_case() -> None:
    assert refused(Shields(countries=("de",))) is DropReason.SHIELD_COUNTRY
    assert refused(Shields(countries=("FR",))) is None
    assert refused(Shields(countries=("DE",)), country="") is None


@pytest.mark.parametrize(
    ("pattern", "path", "hit"),
    [
        ("/a", "/a", True),
        ("/a", "/ab", False),
        ("/a*", "/ab/c", True),
        ("/*/edit", "/a/b/edit", True),
        ("/**/edit", "/a/edit", True),
        ("*.php", "/wp/x.php", True),
        ("/a.b", "/axb", False),
        ("/(a+)+$", "/(a+)+$", True),
        ("/[", "/[", True),
        ("/A", "/a", False),
        ("*", "/x\ny", True),
    ],
)
def test_pages_by_pattern(pattern: str, path: str, hit: bool) -> None:
    reason = refused(Shields(pages=(pattern,)), path=path)
    assert reason == (DropReason.SHIELD_PAGE if hit else None)


def test_hostnames_admit_what_they_name_and_nothing_else() -> None:
    only = Shields(hostnames=("www.example.com", "*.example.org"))
    assert refused(only, hostname="example.com") is None
    assert refused(only, hostname="shop.example.org") is None
    assert refused(only, hostname="example.org") is DropReason.SHIELD_HOSTNAME
    assert refused(only, hostname="example.com.evil.example") is DropReason.SHIELD_HOSTNAME
    assert refused(only, hostname="(none)") is DropReason.SHIELD_HOSTNAME


def test_the_first_rule_that_refuses_gives_the_reason() -> None:
    every = Shields(
        addresses=("203.0.113.9",), countries=("DE",), pages=("*",), hostnames=("no.example",)
    )
    assert refused(every) is DropReason.SHIELD_IP
    assert refused(every, address="::1") is DropReason.SHIELD_COUNTRY
    assert refused(every, address="::1", country="") is DropReason.SHIELD_HOSTNAME


@given(st.text(), st.text())
def test_a_pattern_without_a_star_is_no_pattern(pattern: str, path: str) -> None:
    pattern = pattern.replace("*", "").strip()
    assert (refused(Shields(pages=(pattern,)), path=path) is not None) == (pattern == path)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_star_stands_for_any_text(pattern: str, text: str) -> None:
    assert Wildcard(pattern).fits(text) == fnmatchcase(text, pattern)


def test_many_stars_do_not_take_for_ever() -> None:
    assert refused(Shields(pages=("/" + "*a" * 12 + "b",)), path="/" + "a" * 2000) is None
