"""A password is long, and not among the first that anybody would try."""

from __future__ import annotations

import pytest

from analytics.catalog import password_rules
from analytics.errors import Malformed

EMAIL = "Ada.Lovelace@shop.example"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10 to 256"),
        ("Xk3#9vLq2", "10 to 256"),
        ("x1!" * 100, "10 to 256"),
        ("1234567890", "repeats|this one is common"),
        ("qwertyuiop", "this one is common"),
        ("QWERTYuiop", "this one is common"),
        ("password123", "this one is common"),
        ("Password2026!", "this one is common"),
        ("!!!monkey!!!", "this one is common"),
        ("2026-letmein-2026", "this one is common"),
        ("aaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("abcdabcdabcdabcd", "repeats"),
        ("abcdefghijklm", "counts"),
        ("zyxwvutsrqponm", "counts"),
        ("ada.lovelace@shop.example", "email address"),
        ("ada.lovelace1", "email address"),
        ("shop.example2026", "email address"),
        ("analytics2026", "name of this server"),
    ],
)
def test_what_is_tried_first_is_refused(password: str, why: str) -> None:
    with pytest.raises(Malformed, match=why) as refused:
        password_rules.check(password, EMAIL)
    assert refused.value.field == "password"
    assert password not in refused.value.reason


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "Xk3#9vLq2p",
        "long enough",
        "کلمه عبور طولانی",
        "x1!" * 80 + "and more",
        "7 small green doors",
    ],
)
def test_any_other_is_taken_whatever_it_is_made_of(password: str) -> None:
    password_rules.check(password, EMAIL)
