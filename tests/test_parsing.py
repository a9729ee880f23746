"""Numbers and dates from outside are read in one way, within bounds."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import parsing
from analytics.errors import Malformed

NO_NUMBERS = [
    "", " ", "-1", "+1", "1.0", "1e3", "1_000", "0x10", "²", "٣", "１", "½", "Ⅷ", "NaN", "inf",
    " 5", "5 ", "5\n", "\x005", "9" * 19, "9" * 5000, "0" * 5000, "000000001" + "0" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: repr(text[:20]))
def test_what_is_not_a_number_in_plain_digits_is_refused(text: str) -> None:
    assert parsing.digits(text) is None
    with pytest.raises(Malformed, match="is not a whole number from 0 to 1,000") as refused:
        parsing.whole_number(text, "limit", least=0, most=1000)
    assert refused.value.field == "limit"
    assert len(str(refused.value)) < 300


def test_bounds_are_kept_and_leading_zeros_change_nothing() -> None:
    assert parsing.whole_number("007", "limit", least=1, most=7) == 7
    for text in ("0", "000", "8", "000000001999999"):
        with pytest.raises(Malformed):
            parsing.whole_number(text, "limit", least=1, most=7)


@given(st.text(max_size=30))
def test_whatever_the_text_a_number_is_plain_digits(text: str) -> None:
    number = parsing.digits(text)
    assert number is None or (0 <= number < 10**18 and int(text) == number and text.isascii())


@pytest.mark.parametrize(
    "text",
    ["", "0202-01-01", "0001-01-05", "9999-12-31", "1969-12-31", "2200-01-01", "2026-02-30",
     "2026-1-1", "20260101", "2026-W01-1", "2026-01-01T00:00", "-2026-01-01", "٢٠٢٦-٠١-٠١",
     "2026-01-01 ", "2026-01-01" + "0" * 5000],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_what_is_not_a_date_of_an_event_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parsing.day(text, "date")
    assert refused.value.field == "date"


@given(st.dates())
def test_every_date_in_between_is_read(given_date: date) -> None:
    text = given_date.isoformat()
    if parsing.FIRST_DAY <= given_date <= parsing.LAST_DAY:
        assert parsing.day(text, "date") == given_date
        assert parsing.moment(text, "date", "Etc/UTC") % 86_400_000 == 0
    else:
        with pytest.raises(Malformed):
            parsing.day(text, "date")


def test_a_time_is_the_sites_unless_it_says_otherwise() -> None:
    noon = 1_795_608_000_000
    assert parsing.moment("2026-11-25T12:00:00Z", "from", "Asia/Tehran") == noon
    assert parsing.moment("2026-11-25T15:30", "from", "Asia/Tehran") == noon
    assert parsing.moment("2026-11-25T13:00:00.000+01:00", "from", "Asia/Tehran") == noon


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-25T25:00", "noon",
     "9" * 5000, "0202-01-01"],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_what_is_not_a_moment_of_an_event_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parsing.moment(text, "from", "Asia/Tehran")


@pytest.mark.parametrize("text", ["0", "65536", "٨٠", "-1", "80.0", "", "9" * 5000])
def test_what_is_not_a_port_is_refused(text: str) -> None:
    assert parsing.port(text) is None


def test_a_port_is_read() -> None:
    assert (parsing.port("1"), parsing.port("0080"), parsing.port("65535")) == (1, 80, 65535)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("cassandra-1:9042", "cassandra-1", 9042),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("[::1]:9042", "::1", 9042),
        ("[2001:db8::7]:65535", "2001:db8::7", 65535),
    ],
)
def test_an_address_is_read_and_written_in_one_way(text: str, host: str, port: int) -> None:
    assert parsing.host_and_port(text) == (host, port)
    assert parsing.address(host, port) == text


@pytest.mark.parametrize(
    "text", ["", ":", "host", "host:", ":80", "[]:80", "host:0", "host:65536", "host:x", "a@b:80"]
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parsing.host_and_port(text)
