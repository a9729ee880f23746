"""A device that logged in before can prove it, for the accounts that were used on it."""

from __future__ import annotations

import pytest

from analytics.dashboard import device_cookie


def test_a_device_belongs_to_the_accounts_that_were_used_on_it() -> None:
    fresh = device_cookie.read("")
    used = device_cookie.read(fresh.joined(b"ada").joined(b"bob").cookie())
    assert used.name == fresh.name
    assert used.belongs_to(b"ada")
    assert used.belongs_to(b"bob")
    assert not used.belongs_to(b"eve")
    assert not fresh.belongs_to(b"ada")


def test_it_keeps_the_last_accounts_only_and_stays_short() -> None:
    used = device_cookie.read("")
    for number in range(20):
        used = device_cookie.read(used.joined(bytes([number])).cookie())
    assert used.belongs_to(bytes([19]))
    assert not used.belongs_to(bytes([0]))
    assert len(used.cookie()) < 300


@pytest.mark.parametrize("cookie", ["", "x", "é", "A" * 22, "A" * 10_000, "=" * 64, "A" * 65])
def test_a_cookie_that_makes_no_sense_is_a_new_device(cookie: str) -> None:
    assert not device_cookie.read(cookie).belongs_to(b"")
    assert device_cookie.read(cookie).name != device_cookie.read(cookie).name


def test_signatures_of_another_device_are_worth_nothing() -> None:
    used = device_cookie.read("").joined(b"ada")
    assert not device_cookie.Device(b"n" * 16, used.signatures).belongs_to(b"ada")
