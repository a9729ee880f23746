"""A line that cannot be read says why, in the words of who writes logs."""

from __future__ import annotations

import pytest

from analytics.errors import Malformed
from analytics.ingest.wire.access_log import parse
from analytics.ingest.wire.log_diagnosis import EXAMPLE

FRONT = "203.0.113.9 - - [17/May/2015:10:05:03 +0000]"
CADDY = '{"level":"info","ts":1764278609.1,"request":{"remote_ip":"203.0.113.9","uri":"/"}}'
CLOUDFRONT = "2026-11-27\t21:23:29\tFRA56-P2\t2390\t203.0.113.9\tGET\td1.example.net\t/\t200"
IIS = "2026-11-27 21:23:29 192.0.2.1 GET / - 443 - 203.0.113.9 Mozilla/5.0 - 200 0 0 15"
LOAD_BALANCER = (
    "h2 2026-11-27T21:23:29.186641Z app/front/1 203.0.113.9:4711 10.0.0.1:80 0.0 0.0 0.0 200 200"
)
HAPROXY = (
    "203.0.113.9:4711 [27/Nov/2026:21:23:29.123] web app/a 0/0/1/2/3 200 72 - - ---- 1/1/0/0/0 0/0 "
    '"GET / HTTP/1.1"'
)
NGINX_ERROR = "2026/11/27 21:23:29 [error] 12#12: *3 open() failed, client: 203.0.113.9"
APACHE_ERROR = "[Fri Nov 27 21:23:29.123456 2026] [core:error] [pid 7] [client 203.0.113.9:4711] x"


def test_the_example_can_be_read() -> None:
    assert parse(EXAMPLE.encode()).senders == ("203.0.113.9",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        (CADDY, "it is JSON"),
        ("#Software: Microsoft Internet Information Services 10.0", "a comment of the W3C"),
        ("#Fields: date time s-ip cs-method", "a comment of the W3C"),
        (IIS, "it is of the W3C extended format"),
        (CLOUDFRONT, "it is of the W3C extended format"),
        (LOAD_BALANCER, "load balancer"),
        (HAPROXY, "HAProxy's own format"),
        ("Nov 27 21:23:29 lb haproxy[12]: " + HAPROXY, "HAProxy's own format"),
        (NGINX_ERROR, "nginx's error log: import the access log"),
        (APACHE_ERROR, "Apache's error log: import the access log"),
        ("hello", "no time in brackets"),
        ("203.0.113.9 - - 17/May/2015", "no time in brackets"),
        (
            f'{FRONT.replace(" +0000", "")} "GET / HTTP/1.1" 200 5 "-" "x"',
            "time is not written like",
        ),
        (
            f'{FRONT.replace("May", "05")} "GET / HTTP/1.1" 200 5 "-" "x"',
            "time is not written like",
        ),
        (FRONT, "the request, in quotes, is missing"),
        (f"{FRONT} GET / HTTP/1.1 200 5", "the request, in quotes, is missing"),
        (f'{FRONT} "GET / HTTP/1.1', "the request, in quotes, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" - 5 "-" "x"', "the status, three digits, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" 2000 5 "-" "x"', "the status, three digits, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" 200 "-" "x"', "the size, a number or -, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" 200 5', "as in the common format"),
        (f'{FRONT} "GET / HTTP/1.1" 200 5 - "x"', "the referrer, in quotes, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" 200 5 "-"', "the user agent, in quotes, is missing"),
        (f'{FRONT} "GET / HTTP/1.1" 200 5 "-" "cut o', "the user agent, in quotes, is missing"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(line: str, reason: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse(line.encode())
    assert reason in str(refused.value)
