"""One spelling for every site."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog.domain import normal, shown
from analytics.errors import Malformed


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Example.COM", "example.com"),
        ("https://www.shop.test/", "shop.test"),
        ("HTTP://shop.test:80/", "shop.test"),
        ("https://shop.test:443", "shop.test"),
        ("https://shop.test:8443/", "shop.test:8443"),
        ("http://shop.test:443", "shop.test:443"),
        ("shop.test/", "shop.test"),
        ("www.example.com", "example.com"),
        ("www.www.example.com", "example.com"),
        (" example.com. ", "example.com"),
        ("shop.example.com", "shop.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("localhost:8080", "localhost:8080"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("my_site.example", "my_site.example"),
        ("metrics.example", "metrics.example"),
        ("metrics:9090", "metrics:9090"),
    ],
)
def test_what_people_type_becomes_one_spelling(typed: str, kept: str) -> None:
    assert normal(typed) == kept


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("https://example.com/blog", "has a path"),
        ("ftp://example.com/", "not the address of a web site"),
        ("https://ada@example.com/", "not a host name"),
        ("a", "not a host name"),
        ("a:80", "not a host name"),
        ("example.com/blog", "has a path"),
        ("exam ple.com", "not a host name"),
        ("ada@example.com", "not a host name"),
        ("example.com:http", "no valid port"),
        ("example.com:0", "no valid port"),
        ("12", "is a number"),
        ("", "it is empty"),
        ("b\udca9cher.example", "not a host name"),  # as a shell hands on what is no UTF-8
        ("www.", "not a host name"),
        ("<script>", "not a host name"),
        ("-a.example", "not a host name"),
        ("login", "/login is an address of this server"),
        ("Metrics.", r"such as metrics\.example\.com"),
        ("www.static", "/static is an address"),
    ],
)
def test_what_is_no_host_is_refused_with_a_way_out(typed: str, hint: str) -> None:
    with pytest.raises(Malformed, match=hint):
        normal(typed)


@given(st.text())
def test_any_text_is_refused_or_becomes_a_spelling_that_stays(text: str) -> None:
    try:
        kept = normal(text)
    except Malformed:
        return
    assert kept.isascii()
    assert normal(kept) == kept


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("xn--bcher-kva.example", "bücher.example"),
        ("xn--tda.example:8080", "ü.example:8080"),
        ("xn--e1afmkfd.xn--p1ai", "пример.рф"),
        ("xn--wgv71a119e.jp", "日本語.jp"),
        ("shop.example", "shop.example"),
        ("xn--pple-43d.com", "xn--pple-43d.com"),  # its first letter is Cyrillic, the others Latin
        ("xn--zz.example", "xn--zz.example"),
    ],
)
def test_an_international_name_reads_as_people_write_it(kept: str, read: str) -> None:
    assert shown(kept) == read
