"""Explains why a line of an access log is not in the combined format.

It is asked after a line could not be parsed, so it may look closely: first whether the line is of
another format that servers write, then which part of the combined format is the first that is
missing.
"""

from __future__ import annotations

import re
from typing import Final

EXAMPLE: Final = (
    '203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog HTTP/1.1" 200 512 "-" "Mozilla/5.0"'
)
"""A line that can be read."""

_REMEDY: Final = "have the server write the combined format"
_CLOCK: Final = rb"\d\d:\d\d:\d\d"

_OTHER_FORMAT: Final = re.compile(
    rb"(?P<json>\s*\{)"
    rb"|(?P<comment>#)"
    rb"|(?P<load_balancer>(?:https?|h2|grpcs?|wss?) \d{4}-\d\d-\d\dT)"
    rb"|(?P<nginx_error>\d{4}/\d\d/\d\d " + _CLOCK + rb" \[\w+\])"
    rb"|(?P<apache_error>\[\w{3} \w{3} [ \d]\d " + _CLOCK + rb"[^\]]*\] \[[\w:]+\])"
    rb"|(?P<haproxy>[^\[]*(?:\[\d+\]: [^\[]*)?\[\d\d/\w{3}/\d{4}:" + _CLOCK + rb"\.\d{3}\])"
    rb"|(?P<w3c>\d{4}-\d\d-\d\d[ \t]" + _CLOCK + rb")"
)
"""How lines of other formats begin."""
_OF_OTHER_FORMATS: Final = {
    "json": f"it is JSON, as Caddy and Traefik write it: {_REMEDY}",
    "comment": f"it is a comment of the W3C extended format, as IIS writes it: {_REMEDY}",
    "load_balancer": f"it is of an AWS load balancer's own format: {_REMEDY}",
    "nginx_error": "it is of nginx's error log: import the access log",
    "apache_error": "it is of Apache's error log: import the access log",
    "haproxy": f"it is of HAProxy's own format: {_REMEDY}",
    "w3c": f"it is of the W3C extended format, as IIS and CloudFront write it: {_REMEDY}",
}

_TIME: Final = re.compile(rb"\[(\d\d?/[^\]\[]*)\]")
_WRITTEN_TIME: Final = re.compile(rb"\d\d/[A-Z][a-z]{2}/\d{4}:" + _CLOCK + rb" [+-]\d{4}")
_QUOTED: Final = re.compile(rb'\s+"(?:[^"\\]|\\.)*"', re.DOTALL)
_STATUS: Final = re.compile(rb"\s+\d{3}(?!\d)")
_SIZE: Final = re.compile(rb"\s+(?:\d+|-)(?!\S)")


def explain(line: bytes) -> str:
    """Return what keeps *line* from being read, and the way out where there is one."""
    if not line.strip():
        return "it is empty"
    other = _OTHER_FORMAT.match(line)
    if other is not None and other.lastgroup is not None:
        return _OF_OTHER_FORMATS[other.lastgroup]
    time = _TIME.search(line)
    if time is None:
        return "it has no time in brackets, such as [17/May/2015:10:05:03 +0000]"
    if not _WRITTEN_TIME.fullmatch(time[1]):
        return "its time is not written like [17/May/2015:10:05:03 +0000]"
    return _missing_part(line, time.end())


def _missing_part(line: bytes, begin: int) -> str:
    """Return which part behind the time, which ends at *begin*, is the first that is missing."""
    request = _QUOTED.match(line, begin)
    if request is None:
        return "the request, in quotes, is missing behind the time"
    status = _STATUS.match(line, request.end())
    if status is None:
        return "the status, three digits, is missing behind the request"
    size = _SIZE.match(line, status.end())
    if size is None:
        return "the size, a number or -, is missing behind the status"
    if not line[size.end() :].strip():
        return (
            "it ends behind the size, as in the common format, which has neither referrer nor "
            f"user agent: {_REMEDY}"
        )
    referrer = _QUOTED.match(line, size.end())
    if referrer is None:
        return "the referrer, in quotes, is missing behind the size"
    if _QUOTED.match(line, referrer.end()) is None:
        return "the user agent, in quotes, is missing behind the referrer"
    return "it is not in the combined format of access logs"
