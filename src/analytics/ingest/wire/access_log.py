"""A line of a web server's access log in the combined format, as Apache and nginx write it.

    203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog HTTP/1.1" 200 512 "-" "Mozilla/5.0"

`log_columns` says what may stand in front of the time. Behind the user agent, nginx's `main` has
X-Forwarded-For; what else follows is read only to tell the logs of two proxies that look like this
format and leave the user agent out.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.ingest import page_url
from analytics.ingest.wire import log_columns, log_diagnosis

_QUOTED: Final = rb'"((?:[^"\\]|\\.)*)"'
_LINE: Final = re.compile(
    rb"(?P<columns>.*?)"
    rb"\[(?P<date>\d\d/[A-Z][a-z]{2}/\d{4}):(?P<clock>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4})\]\s+"
    + _QUOTED
    + rb"\s+(?P<status>\d{3})\s+(?:\d+|-)\s+"
    + _QUOTED
    + rb"\s+"
    + _QUOTED
    + rb"(?P<more>\s.*)?",
    re.DOTALL,
)
_PROXIES: Final = (
    ("HAProxy", re.compile(rb' \d+ \d{1,3} "[^"]*" "[^"]*" "[^"]*" .*', re.DOTALL)),
    ("Traefik", re.compile(rb' \d+ "[^"]*" "[^"]*" \d+ms')),
)
"""The end of a line in two proxies' own variants of the common log format."""
_NOTHING: Final = ("-", "")
_ABSOLUTE: Final = re.compile("https?://", re.IGNORECASE)
_FORWARDED: Final = re.compile(rb'\s+"([^"]*)".*', re.DOTALL)
_VERSION: Final = re.compile(r" HTTP/\d(?:\.\d)?$")
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1,
    )
}  # fmt: skip

PAGE_STATUS: Final = frozenset({200, 304})
"""With 304 the browser shows the page from its cache."""

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
"""File extensions that are not pages. Any other path counts as a page, such as `/docs/v1.2`."""


class LogLine(NamedTuple):
    """One request."""

    host: str
    """The virtual host; "" when the format has none."""
    senders: tuple[str, ...]
    """The addresses of client and proxies, those before the time first; or one host name."""
    ts: int
    method: str
    target: str
    """The request target: a path with its query, rarely a whole URL."""
    status: int
    referrer: str
    user_agent: str


def parse(line: bytes) -> LogLine:
    """Parse *line*. Raises `Malformed`, which says what is wrong with it, when it cannot."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("", log_diagnosis.explain(line))
    midnight, seconds = _midnight(match["date"], match["zone"]), _seconds(match["clock"])
    if midnight is None or seconds is None:
        raise Malformed("", "its time does not exist: no such day, hour, minute or time zone")
    ts = midnight + seconds * 1000
    if ts < 0:
        raise Malformed("", "its time is before 1970; was the clock set?")
    columns = log_columns.parse(match["columns"].removeprefix(BOM_UTF8).decode("latin-1"))
    # The pattern's unnamed groups: the three quoted texts.
    request, referrer, user_agent = (_text(match[number]) for number in (5, 7, 8))
    if user_agent in _NOTHING and match["more"]:
        _refuse_proxies(match["more"])
    forwarded = _FORWARDED.fullmatch(match["more"] or b"")
    behind = log_columns.forwarded(forwarded[1].decode("latin-1")) if forwarded else ()
    method, _, target = _VERSION.sub("", request).partition(" ")
    return LogLine(
        host=columns.host,
        senders=columns.senders + behind,
        ts=ts,
        method=method,
        target=target,
        status=int(match["status"]),
        referrer="" if referrer == "-" else referrer,
        user_agent="" if user_agent in _NOTHING else user_agent,
    )


def _refuse_proxies(more: bytes) -> None:
    """Raise `Malformed` for a proxy's log without user agents, which cannot show bots."""
    for proxy, pattern in _PROXIES:
        if pattern.fullmatch(more):
            raise Malformed(
                "", f"{proxy} wrote it without the user agent: have it write the combined format"
            )


def refusal(line: LogLine, domain: str) -> DropReason | None:
    """Return why *line* is not a page view of the site *domain*; None when it is one."""
    if line.method != "GET" or _extension(line.target) in NO_PAGE:
        return DropReason.NOT_A_PAGE
    if _ABSOLUTE.match(line.target):
        # HAProxy writes HTTP/2 requests this way; scanners for open proxies send such requests.
        if not _is_of(line.target, line.host, domain):
            return DropReason.OTHER_HOST
    elif not line.target.startswith("/"):
        return DropReason.NOT_A_PAGE
    return None if line.status in PAGE_STATUS else DropReason.NOT_OK


def event_id(site: str, line: bytes, ordinal: int) -> str:
    """Return the id of the *ordinal*-th line equal to *line*, the same at every import."""
    digest = blake2b(line, digest_size=16, person=b"access-log", key=site.encode()[:64])
    digest.update(ordinal.to_bytes(8, "little"))
    return str(UUID(bytes=digest.digest(), version=5))


def url(line: LogLine, domain: str) -> str:
    """Return the full URL of *line*'s page on the site *domain*."""
    if _ABSOLUTE.match(line.target):
        return line.target
    return f"https://{line.host or domain}{line.target}"


def _is_of(target: str, host: str, domain: str) -> bool:
    hostname = page_url.parse(target).hostname
    own = {page_url.parse(f"https://{name}/").hostname for name in (host, domain) if name}
    return hostname in own or hostname.endswith(f".{domain}")


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


@lru_cache(maxsize=4096)
def _midnight(date: bytes, zone: bytes) -> int | None:
    """Return the midnight of *date* in *zone* as UTC milliseconds."""
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
