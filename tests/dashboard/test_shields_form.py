"""Shields are read line by line, and a wrong line is named."""

from __future__ import annotations

import pytest

from analytics.dashboard.shields_form import read_shields
from analytics.errors import Malformed
from analytics.site import Shields


def test_each_box_is_a_list_without_blank_or_doubled_lines() -> None:
    form = {
        "addresses": "203.0.113.7\r\n\r\n 10.0.0.0/8 \r\n203.0.113.7\r\n2001:db8::/32",
        "countries": "de\nFR",
        "pages": "/admin/*\n*/print",
        "hostnames": "*.Shop.example\nlocalhost",
    }
    assert read_shields(form) == Shields(
        addresses=("203.0.113.7", "10.0.0.0/8", "2001:db8::/32"),
        countries=("DE", "FR"),
        pages=("/admin/*", "*/print"),
        hostnames=("*.shop.example", "localhost"),
    )


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("addresses", "300.1.1.1"),
        ("addresses", "office"),
        ("countries", "Germany"),
        ("pages", "admin"),
        ("hostnames", "https://shop.example"),
    ],
)
def test_a_wrong_line_is_quoted(field: str, line: str) -> None:
    with pytest.raises(Malformed, match=line.replace("*", r"\*")) as raised:
        read_shields({field: f"\n{line}\n"})
    assert raised.value.field == field
