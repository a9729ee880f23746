"""The visitor's number: 64 bits, of two kinds that can't be taken for each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.stable_hash import hash64
from analytics.visitor_id import COOKIELESS, from_cookie, hashed, is_cookieless


@given(st.text(), st.text())
def test_a_cookies_number_tells_itself_apart_from_a_hash(site: str, text: str) -> None:
    cookie, daily = from_cookie(site, text), hashed(b"salt", site, text, "agent")
    assert not is_cookieless(cookie)
    assert is_cookieless(daily)
    assert 0 <= cookie < 1 << 63 <= daily < 1 << 64


def test_another_salt_site_address_or_agent_is_another_visitor() -> None:
    numbers = {
        hashed(salt, site, address, agent)
        for salt in (b"1", b"2")
        for site in ("a", "b")
        for address in ("1", "12")
        for agent in ("2x", "x")
    }
    assert len(numbers) == 16


def test_a_cookies_number_never_changes_with_the_program() -> None:
    # It lies in years of stored rows; another number would be another visitor.
    assert from_cookie("example.com", "ada") == 4_573_479_103_210_127_611


def test_a_cookie_is_hashed_as_everything_is() -> None:
    """The short cut that hashes the site once must not make other visitors of the same cookies."""
    for vid in ("abc", "x" * 64, "-_-"):
        assert from_cookie("example.com", vid) == hash64("example.com", vid) & ~COOKIELESS
