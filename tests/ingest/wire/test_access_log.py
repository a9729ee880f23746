"""A line of the combined log format, with all that real logs hold."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.event import DropReason
from analytics.ingest.wire.access_log import Line, event_id, parse, refusal, url

PLAIN = (
    b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog?a=1 HTTP/1.1" 200 512 '
    b'"http://ref.example/" "Mozilla/5.0"'
)


def line(**changes: object) -> Line:
    parsed = parse(PLAIN)
    assert parsed is not None
    return parsed._replace(**changes)  # type: ignore[arg-type]


def test_every_part_is_understood() -> None:
    assert parse(PLAIN) == Line(
        host="",
        address="203.0.113.9",
        ts=1_431_857_103_000,
        method="GET",
        target="/blog?a=1",
        status=200,
        referrer="http://ref.example/",
        user_agent="Mozilla/5.0",
    )


@pytest.mark.parametrize(
    ("zone", "hours"), [(b"+0000", 0), (b"+0330", -3.5), (b"-0800", 8), (b"+1400", -14)]
)
def test_the_zone_is_taken_off(zone: bytes, hours: float) -> None:
    parsed = parse(PLAIN.replace(b"+0000", zone))
    assert parsed is not None
    assert parsed.ts == 1_431_857_103_000 + hours * 3_600_000


def test_a_virtual_host_in_front_is_read() -> None:
    parsed = parse(b"Shop.example:443 " + PLAIN)
    assert parsed is not None
    assert (parsed.host, parsed.address) == ("shop.example:443", "203.0.113.9")
    assert url(parsed, "example.com") == "https://shop.example:443/blog?a=1"


def test_a_user_and_what_follows_the_user_agent_do_not_matter() -> None:
    bare = parse(PLAIN)
    assert parse(PLAIN.replace(b"- - [", b"- frank [")) == bare
    assert parse(PLAIN.replace(b"- - [", b"- frank the third [")) == bare
    assert parse(PLAIN + b' "10.0.0.1" 0.003') == bare


def test_escapes_are_undone() -> None:
    parsed = parse(PLAIN.replace(b"/blog?a=1", rb"/caf\xc3\xa9?q=\"x\"\\"))
    assert parsed is not None
    assert parsed.target == '/café?q="x"\\'


def test_ipv6_is_an_address() -> None:
    parsed = parse(PLAIN.replace(b"203.0.113.9", b"2001:db8::1"))
    assert parsed is not None
    assert parsed.address == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        PLAIN[:-1],
        PLAIN.replace(b"17/May", b"32/May"),
        PLAIN.replace(b"May", b"Mai"),
        PLAIN.replace(b"10:05:03", b"25:05:03"),
        PLAIN.rpartition(b' "http')[0],
    ],
)
def test_what_is_not_of_the_format_is_nothing(text: bytes) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("request_", [b"-", b"", rb"\x16\x03\x01", b"GET"])
def test_a_request_without_sense_is_readable_and_no_page(request_: bytes) -> None:
    parsed = parse(PLAIN.replace(b"GET /blog?a=1 HTTP/1.1", request_))
    assert parsed is not None
    assert refusal(parsed) is DropReason.NOT_A_PAGE


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/blog/",
        "/a/page",
        "/index.html",
        "/x.xhtml?y=z.png",
        "/v1.2/notes",
        "/a.b.php",
        "/u;j=1.css",
    ],
)
def test_a_page_is_a_page(target: str) -> None:
    assert refusal(line(target=target)) is None


@pytest.mark.parametrize(
    "target",
    ["/s.css", "/S.CSS", "/a/favicon.ico", "/robots.txt?x", "/f.xml", "/x.tar.gz", "/a.json#a"],
)
def test_what_pages_are_made_of_is_no_page(target: str) -> None:
    assert refusal(line(target=target)) is DropReason.NOT_A_PAGE


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "get"])
def test_only_a_get_shows_a_page(method: str) -> None:
    assert refusal(line(method=method)) is DropReason.NOT_A_PAGE


@pytest.mark.parametrize("status", [200, 304])
def test_a_page_out_of_the_browsers_cache_was_seen_too(status: int) -> None:
    assert refusal(line(status=status)) is None


@pytest.mark.parametrize("status", [206, 301, 403, 404, 500])
def test_any_other_answer_showed_no_page(status: int) -> None:
    assert refusal(line(status=status)) is DropReason.NOT_OK


def test_a_whole_url_as_the_target_stays_one() -> None:
    assert url(line(target="http://other.example/x"), "example.com") == "http://other.example/x"
    assert url(line(target="//x"), "example.com") == "https://example.com//x"


def test_an_id_is_the_same_for_the_same_line_site_and_copy_only() -> None:
    ids = {
        event_id(site, text, ordinal)
        for site in ("a.example", "b.example")
        for text in (b"x", b"y")
        for ordinal in (0, 1)
    }
    assert len(ids) == 8
    assert event_id("a.example", b"x", 1) in ids
    assert all(str(UUID(each)) == each for each in ids)


@given(st.binary())
def test_any_bytes_are_a_line_or_nothing(text: bytes) -> None:
    parse(text)
    parse(PLAIN + text)
    parse(PLAIN.replace(b"/blog?a=1", text))
