"""A line of the combined log format, with all that real logs hold."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.ingest.wire.access_log import LogLine, event_id, parse, refusal, url

PLAIN = (
    b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog?a=1 HTTP/1.1" 200 512 '
    b'"http://ref.example/" "Mozilla/5.0"'
)


SITE = "example.com"


def line(**changes: object) -> LogLine:
    return parse(PLAIN)._replace(**changes)  # type: ignore[arg-type]


def test_every_part_is_understood() -> None:
    assert parse(PLAIN) == LogLine(
        host="",
        senders=("203.0.113.9",),
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
    assert parsed.ts == 1_431_857_103_000 + hours * 3_600_000


def test_a_virtual_host_in_front_is_read() -> None:
    parsed = parse(b"Shop.example:443 " + PLAIN)
    assert (parsed.host, parsed.senders) == ("shop.example:443", ("203.0.113.9",))
    assert url(parsed, "example.com") == "https://shop.example:443/blog?a=1"


def test_a_user_and_what_follows_the_user_agent_do_not_matter() -> None:
    bare = parse(PLAIN)
    assert parse(PLAIN.replace(b"- - [", b"- frank [")) == bare
    assert parse(PLAIN.replace(b"- - [", b"- frank the third [")) == bare
    assert parse(PLAIN + b' "-" 0.003 "10.0.0.1"') == bare
    assert parse(PLAIN + b' "no address, 10.0.0.1"') == bare
    assert parse(PLAIN + b' 0.003 "10.0.0.1:80"') == bare


@pytest.mark.parametrize("more", [b' "198.51.100.7, 10.0.0.1"', b' "unknown,198.51.100.7" "x"'])
def test_a_list_of_addresses_behind_the_user_agent_comes_after_those_in_front(more: bytes) -> None:
    assert parse(PLAIN + more).senders[:2] == ("203.0.113.9", "198.51.100.7")


def test_escapes_are_undone() -> None:
    parsed = parse(PLAIN.replace(b"/blog?a=1", rb"/caf\xc3\xa9?q=\"x\"\\"))
    assert parsed.target == '/café?q="x"\\'


def test_ipv6_is_an_address() -> None:
    parsed = parse(PLAIN.replace(b"203.0.113.9", b"2001:db8::1"))
    assert parsed.senders == ("2001:db8::1",)


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("32/May/2015", "10:05:03 +0000"),
        ("30/Feb/2016", "10:05:03 +0000"),
        ("17/Mai/2015", "10:05:03 +0000"),
        ("17/May/0000", "10:05:03 +0000"),
        ("17/May/2015", "25:05:03 +0000"),
        ("17/May/2015", "10:61:03 +0000"),
        ("17/May/2015", "10:05:03 +9900"),
    ],
)
def test_a_time_that_does_not_exist_is_named(date: str, time: str) -> None:
    text = PLAIN.replace(b"17/May/2015:10:05:03 +0000", f"{date}:{time}".encode())
    with pytest.raises(Malformed, match="its time does not exist"):
        parse(text)


@pytest.mark.parametrize("request_", [b"-", b"", rb"\x16\x03\x01", b"GET"])
def test_a_request_without_sense_is_readable_and_no_page(request_: bytes) -> None:
    parsed = parse(PLAIN.replace(b"GET /blog?a=1 HTTP/1.1", request_))
    assert refusal(parsed, SITE) is DropReason.NOT_A_PAGE


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
    assert refusal(line(target=target), SITE) is None


@pytest.mark.parametrize(
    "target",
    ["/s.css", "/S.CSS", "/a/favicon.ico", "/robots.txt?x", "/f.xml", "/x.tar.gz", "/a.json#a"],
)
def test_what_pages_are_made_of_is_no_page(target: str) -> None:
    assert refusal(line(target=target), SITE) is DropReason.NOT_A_PAGE


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "get"])
def test_only_a_get_shows_a_page(method: str) -> None:
    assert refusal(line(method=method), SITE) is DropReason.NOT_A_PAGE


@pytest.mark.parametrize("status", [200, 304])
def test_a_page_out_of_the_browsers_cache_was_seen_too(status: int) -> None:
    assert refusal(line(status=status), SITE) is None


@pytest.mark.parametrize("status", [206, 301, 403, 404, 500])
def test_any_other_answer_showed_no_page(status: int) -> None:
    assert refusal(line(status=status), SITE) is DropReason.NOT_OK


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
def test_any_bytes_are_a_line_or_unreadable(text: bytes) -> None:
    for each in (text, PLAIN + text, PLAIN.replace(b"/blog?a=1", text), text + PLAIN):
        with suppress(Malformed):
            parse(each)


# What real servers write; 203.0.113.9 always is the visitor.
BEHIND = ' [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0"'


@pytest.mark.parametrize(
    "columns",
    [
        "203.0.113.9 -  - ",  # Jetty
        "203.0.113.9 - ",
        " 203.0.113.9 - -",
        "\ufeff203.0.113.9 - -",  # a first line that an editor has saved
        "203.0.113.9 bob -",
        "203.0.113.9 - bob smith",
        "203.0.113.9 bob frank the third",
        "203.0.113.9:4711 - -",
        "::ffff:203.0.113.9 - -",
        "[::ffff:203.0.113.9]:443 - -",
        "- 203.0.113.9 - -",
        "unknown 203.0.113.9 - -",
        "_ 203.0.113.9 - -",  # nginx's server for any name
        "default 203.0.113.9 - -",
        "default_server 203.0.113.9 - -",
        "_default_ 203.0.113.9 - -",  # Apache's
        '"203.0.113.9" - -',
        "203.0.113.9 localhost -",
        "203.0.113.9 192.0.2.1:80 -",
    ],
)
def test_the_sender_is_found_however_the_columns_are_written(columns: str) -> None:
    parsed = parse((columns + BEHIND).encode())
    assert parsed.senders[0] == "203.0.113.9"
    assert (parsed.host, parsed.method, parsed.target) == ("", "GET", "/")


@pytest.mark.parametrize(
    "columns",
    [
        "203.0.113.9, 10.183.250.139 - -",
        "203.0.113.9,10.183.250.139 - -",
        "203.0.113.9 , 10.183.250.139 - frank",
        "203.0.113.9 10.183.250.139 - -",
        '"203.0.113.9, 10.183.250.139" - -',
        "203.0.113.9 (10.183.250.139) - -",
        "203.0.113.9:4711, 10.183.250.139:80 - -",
        "unknown, 203.0.113.9, 10.183.250.139 - -",
        "- 203.0.113.9 10.183.250.139 - -",
        "203.0.113.9;10.183.250.139 - -",
        "203.0.113.9, <none>, 10.183.250.139 - -",
    ],
)
@pytest.mark.parametrize("host", ["", "www.example.com:443 "])
def test_a_list_of_addresses_is_one_however_it_is_written(columns: str, host: str) -> None:
    parsed = parse((host + columns + BEHIND).encode())
    assert parsed.senders == ("203.0.113.9", "10.183.250.139")
    assert parsed.host == host.strip()


@pytest.mark.parametrize(
    "collector",
    [
        "Nov 27 21:23:29 web1 nginx: ",
        "<190>Nov  7 21:23:29 web1 nginx[12]: ",
        "Nov 27 21:23:29 nginx: ",
        "<190>1 2026-11-27T21:23:29Z web1 nginx - - - ",
        '<190>1 2026-11-27T21:23:29.003+01:00 web1 nginx 12 ID [a@1 b="c"] ',
        "2026-11-27T21:23:29.123456Z stdout F ",
        "2026-11-27T21:23:29+00:00 web1 nginx[12]: ",
        "web-1  | ",
    ],
)
@pytest.mark.parametrize("columns", ["203.0.113.9", "shop.example 203.0.113.9"])
def test_what_a_collector_puts_in_front_is_passed_over(collector: str, columns: str) -> None:
    parsed = parse((collector + columns + " - -" + BEHIND).encode())
    assert parsed.senders == ("203.0.113.9",)
    assert parsed.host == columns.removesuffix("203.0.113.9").strip()


@pytest.mark.parametrize(
    "front", ["web1 nginx: ", "web1 | nginx | ", "2015 May 17 ", "app web1 17/May "]
)
def test_no_word_in_front_of_an_address_stands_for_all_visitors(front: str) -> None:
    with pytest.raises(Malformed, match=r"in front of the (visitor's address|time)"):
        parse((front + "203.0.113.9 - -" + BEHIND).encode())


@pytest.mark.parametrize(
    ("columns", "host", "sender"),
    [
        ("203.0.113.9 shop.example -", "shop.example", "203.0.113.9"),  # lighttpd
        ("203.0.113.9 Shop.example:8080 frank", "shop.example:8080", "203.0.113.9"),
        ("shop.example 203.0.113.9 - -", "shop.example", "203.0.113.9"),
        ("intranet 203.0.113.9 - -", "intranet", "203.0.113.9"),
        ("shop.example:443 crawl.example.net - -", "shop.example:443", "crawl.example.net"),
        ("crawl.example.net - -", "", "crawl.example.net"),
        ("c-198-51-100-7.example.net 203.0.113.9 - -", "", "203.0.113.9"),
        ("198.51.100.7.example.net 203.0.113.9 - -", "", "203.0.113.9"),
        ("203.0.113.9 198_51_100_7.example.net -", "", "203.0.113.9"),
        ("203.0.113.9 2001-db8--7.v6.example.net -", "", "203.0.113.9"),
        ("203.0.113.9 2001-db8-0-0-0-0-0-7.example.net -", "", "203.0.113.9"),
        ("203.0.113.9 a-b-c.example.net -", "a-b-c.example.net", "203.0.113.9"),
    ],
)
def test_a_host_is_told_from_a_sender(columns: str, host: str, sender: str) -> None:
    parsed = parse((columns + BEHIND).encode())
    assert (parsed.host, parsed.senders) == (host, (sender,))


@pytest.mark.parametrize(
    "columns",
    ["", "- - -", "unknown - -", "203.0.113.9", "203.0.113.777 - -", "203.0.113.9| 10.0.0.1 - -",
     "for=203.0.113.9 10.0.0.1 - -", "- frank -", "203.0.113.9/10.0.0.7 - -"],
)  # fmt: skip
def test_a_line_that_names_no_sender_is_unreadable(columns: str) -> None:
    with pytest.raises(Malformed, match="no address of a visitor"):
        parse((columns + BEHIND).encode())


def test_a_time_before_1970_is_unreadable_as_it_is_in_an_event() -> None:
    line = BEHIND.replace("17/May/2015:10:05:03 +0000", "01/Jan/1970:{}")
    for time in ("00:00:00 +0200", "01:59:59 +0200"):
        with pytest.raises(Malformed, match="1970"):
            parse(f"203.0.113.9 - -{line.format(time)}".encode())
    assert parse(f"203.0.113.9 - -{line.format('02:00:00 +0200')}".encode()).ts == 0


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("GET * HTTP/1.1", DropReason.NOT_A_PAGE),
        ("OPTIONS * HTTP/1.0", DropReason.NOT_A_PAGE),
        ("CONNECT other.example:443 HTTP/1.1", DropReason.NOT_A_PAGE),
        ("PRI * HTTP/2.0", DropReason.NOT_A_PAGE),
        ("<BADREQ>", DropReason.NOT_A_PAGE),
        ("GET other.example HTTP/1.1", DropReason.NOT_A_PAGE),
        ("GET http://other.example/ HTTP/1.1", DropReason.OTHER_HOST),
        ("GET HTTP://203.0.113.80:8080/azenv.php HTTP/1.1", DropReason.OTHER_HOST),
        ("GET https://example.com.other.example/ HTTP/2.0", DropReason.OTHER_HOST),
        ("GET https://www.example.com/a HTTP/2.0", None),  # HAProxy's, of HTTP/2
        ("GET https://example.com:8443/a HTTP/2.0", None),
        ("GET https://shop.example.com/a HTTP/2.0", None),
        ("GET /a", None),
    ],
)
def test_only_a_request_for_a_path_of_the_site_is_a_page(
    request_: str, reason: DropReason | None
) -> None:
    parsed = parse(PLAIN.replace(b"GET /blog?a=1 HTTP/1.1", request_.encode()))
    assert refusal(parsed, SITE) is reason


def test_a_whole_url_of_the_virtual_host_is_a_page_of_it() -> None:
    parsed = line(host="other.example:443", target="https://other.example/x")
    assert refusal(parsed, SITE) is None


# As HAProxy 2.6.12 (`option httplog clf`) and Traefik 3 (its `common` format) write them.
HAPROXY = (
    b'203.0.113.9 - - [27/Nov/2026:21:23:29 +0000] "GET /blog?x=1 HTTP/1.1" 200 72 "" "" '
    b'49966 387 "f" "f" "<NOSRV>" 0 -1 -1 -1 0 LR-- 1 1 0 0 0 0 0 "" "" '
)
TRAEFIK = (
    b'203.0.113.9 - - [27/Nov/2026:21:23:29 +0000] "GET /blog?x=1 HTTP/1.1" 200 72 "-" "-" '
    b'12 "web@docker" "http://172.18.0.3:80" 3ms'
)


@pytest.mark.parametrize(("text", "proxy"), [(HAPROXY, "HAProxy"), (TRAEFIK, "Traefik")])
def test_a_proxys_log_without_user_agents_is_unreadable(text: bytes, proxy: str) -> None:
    with pytest.raises(Malformed, match=f"{proxy} wrote it without the user agent"):
        parse(text)
    assert parse(text.replace(b'"" "" 4', b'"-" "curl/8" 4').replace(b'"-" "-" 1', b'"-" "x" 1'))
