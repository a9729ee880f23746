"""A line of a web server's access log in the combined format, as Apache and nginx write it.

    203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog HTTP/1.1" 200 512 "-" "Mozilla/5.0"

In front there may also be the virtual host (Apache's `vhost_combined`); what follows behind the
user agent is not read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from analytics.event import DropReason

_QUOTED: Final = rb'"((?:[^"\\]|\\.)*)"'
_LINE: Final = re.compile(
    rb"(?:(?P<host>\S+) )??(?P<address>\S+) - (?P<user>\S.*?) "
    rb"\[(?P<date>\d\d/[A-Z][a-z]{2}/\d{4}):(?P<clock>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4})\] "
    + _QUOTED
    + rb" (?P<status>\d{3}) (?:\d+|-) "
    + _QUOTED
    + b" "
    + _QUOTED
    + rb"(?: .*)?",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1,
    )
}  # fmt: skip

PAGE_STATUS: Final = frozenset({200, 304})
"""A 304 also put the page before the reader's eyes: out of the browser's own cache."""

_PARTS_OF_PAGES: Final = (
    "css js mjs map wasm json jsonp webmanifest manifest "
    "png jpg jpeg gif svg svgz webp avif ico bmp tif tiff cur heic ttf otf woff woff2 eot"
)
_MEDIA_AND_ARCHIVES: Final = (
    "mp3 mp4 m4a m4v ogg oga ogv opus wav flac aac webm avi mov mkv flv swf m3u8 ts mpd vtt "
    "zip gz tgz bz2 xz zst 7z rar tar jar war deb rpm apk dmg exe msi iso img bin gem whl"
)
_FOR_MACHINES: Final = (
    "xml rss atom rdf xsl xsd txt csv tsv log conf ini yml yaml toml sql pcap "
    "c cc cpp h hpp rs go java lua pl pm py pyc rb sh patch diff"
)
_DOCUMENTS: Final = "pdf ps eps doc docx xls xlsx ppt pptx odt ods odp epub mobi tex"
NO_PAGE: Final = frozenset(
    " ".join((_PARTS_OF_PAGES, _MEDIA_AND_ARCHIVES, _FOR_MACHINES, _DOCUMENTS)).split()
)
"""Extensions of what is no page. What is unknown counts as one: `/docs/v1.2` has no extension."""


class Line(NamedTuple):
    """What one request was."""

    host: str
    """The virtual host; "" when the format has none."""
    address: str
    ts: int
    method: str
    target: str
    """As requested: path with query, seldom a whole URL."""
    status: int
    referrer: str
    user_agent: str


def parse(line: bytes) -> Line | None:
    """Understand *line*; None when it is not of the format."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    midnight = _midnight(match["date"], match["zone"])
    seconds = _seconds(match["clock"])
    if midnight is None or seconds is None:
        return None
    # The pattern's unnamed groups: the three quoted texts.
    request, referrer, user_agent = (_text(match[number]) for number in (7, 9, 10))
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" ")[0] or rest
    return Line(
        host=_host(match["host"]),
        address=match["address"].decode("latin-1"),
        ts=midnight + seconds * 1000,
        method=method,
        target=target,
        status=int(match["status"]),
        referrer="" if referrer == "-" else referrer,
        user_agent="" if user_agent == "-" else user_agent,
    )


def refusal(line: Line) -> DropReason | None:
    """Why *line* is no page view; None when it is one."""
    if line.method != "GET" or not line.target or _extension(line.target) in NO_PAGE:
        return DropReason.NOT_A_PAGE
    return None if line.status in PAGE_STATUS else DropReason.NOT_OK


def event_id(site: str, line: bytes, ordinal: int) -> str:
    """The id of the *ordinal*-th of a file's lines that read *line*: the same at every import."""
    digest = blake2b(line, digest_size=16, person=b"access-log", key=site.encode()[:64])
    digest.update(ordinal.to_bytes(8, "little"))
    return str(UUID(bytes=digest.digest(), version=5))


def url(line: Line, domain: str) -> str:
    """The whole URL of *line*'s page on the site *domain*."""
    if line.target.startswith(("http://", "https://")):
        return line.target
    return f"https://{line.host or domain}{line.target}"


def _extension(target: str) -> str:
    name = re.split("[?#;]", target, maxsplit=1)[0].rpartition("/")[2]
    _, dot, extension = name.rpartition(".")
    return extension.lower() if dot else ""


def _text(quoted: bytes) -> str:
    if b"\\" in quoted:
        quoted = _ESCAPE.sub(_unescaped, quoted)
    return quoted.decode("utf-8", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else match[2]


def _host(host: bytes | None) -> str:
    return host.decode("latin-1").lower() if host else ""


@lru_cache(maxsize=4096)
def _midnight(date: bytes, zone: bytes) -> int | None:
    """UTC milliseconds of *date*'s midnight in *zone*."""
    day, month, year = date.decode().split("/")
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    try:
        at = datetime(
            int(year),
            _MONTHS[month],
            int(day),
            tzinfo=timezone(-offset if zone[:1] == b"-" else offset),
        )
        return int(at.astimezone(UTC).timestamp()) * 1000
    except (KeyError, ValueError, OverflowError):
        return None


def _seconds(clock: bytes) -> int | None:
    hours, minutes, seconds = int(clock[:2]), int(clock[3:5]), int(clock[6:8])
    if hours > 23 or minutes > 59 or seconds > 60:  # 60 is a leap second
        return None
    return hours * 3600 + minutes * 60 + seconds
