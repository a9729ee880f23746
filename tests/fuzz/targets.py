"""Every decoder of what comes from outside, or from a file that may be damaged.

Each takes bytes, and may end in one of the program's own errors, which a sender or an operator
can read. Anything else is a fault.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request

from analytics import bounds
from analytics.admin import backup_file
from analytics.admin.backup_file import pack, unpack
from analytics.api import query_json, stats_v1
from analytics.catalog import domain
from analytics.dashboard import filters, flash, report_url
from analytics.errors import AnalyticsError
from analytics.event import Hit
from analytics.ingest import encoding, page_url, user_agents
from analytics.ingest.addresses import parse_address
from analytics.ingest.client import TrustedProxies
from analytics.ingest.wire import access_log, event_list, plausible
from analytics.ingest.wire.base import RawEvent, RequestLimits
from analytics.ingest.wire.pixel import Pixel
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.pipeline.source import Sources
from analytics.settings.load import load
from analytics.store.chunks import codec
from analytics.store.chunks.chunk import RecordSpan
from analytics.stream import record, segment
from analytics.testing import sample
from analytics.units import HOUR_MS

SITE: Final = "example.com"
NOW: Final = 1_795_521_600_000
_LIMITS: Final = RequestLimits(event_bytes=10_000, body_bytes=50_000, open_body_bytes=50_000)
_TRUST: Final = TrustedProxies(["127.0.0.0/8", "::1/128", "10.0.0.0/8"])
_SOURCES: Final = Sources()
_FIREFOX: Final = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Target(NamedTuple):
    """One decoder, and inputs from which others are bent."""

    name: str
    decode: Callable[[bytes], object]
    corpus: tuple[bytes, ...]

    def refuses_or_understands(self, data: bytes) -> None:
        """Raise whatever is not one of the program's own errors."""
        try:
            self.decode(data)
        except AnalyticsError as error:
            # It must be possible to tell whoever asked, whatever they sent.
            str(error).encode()


def _scope(**more: object) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": "/", "headers": [], **more}


def _keepable(sent: RawEvent) -> None:
    parts = page_url.parse(sent.url, hash_mode=sent.hash_mode)
    kept = (*parts, page_url.referrer(sent.referrer, parts.hostname, SITE), sent.name, sent.title)
    hit = Hit(
        event_id="0" * 36, site=SITE, ts=0, received_at=0, visitor=0, name=kept[-2],
        hostname=parts.hostname, path=parts.path, referrer=kept[-3], title=kept[-1],
        props=sent.props, revenue=sent.revenue, currency=sent.currency,
        scroll_depth=sent.scroll_depth, engaged_ms=sent.engaged_ms, screen=sent.screen,
        language=sent.language,
    )  # fmt: skip
    assert record.decode(record.encode(hit)) == hit


def _event(data: bytes) -> None:
    _keepable(plausible.decode(data))


def _batch(data: bytes) -> None:
    for item in event_list.split(data):
        try:
            plausible.decode(bytes(item))
        except AnalyticsError:
            continue


def _pixel(data: bytes) -> None:
    scope = _scope(query_string=data, path="/pixel.gif")
    (sent,) = Pixel(_LIMITS).decode(scope, data)
    _keepable(sent)


def _packed(data: bytes) -> None:
    assert len(encoding.plain(_scope(), data, 10_000)) <= max(10_000, len(data))


def _log_line(data: bytes) -> None:
    line = access_log.parse(data)
    if access_log.refusal(line, SITE) is None:
        page_url.parse(access_log.url(line, SITE))
    _TRUST.visitor(line.senders)


def _url(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for hash_mode in (False, True):
        parts = page_url.parse(text, hash_mode=hash_mode)
        "".join(parts).encode()
    page_url.referrer(text, SITE, SITE).encode()


def _source(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    sent = page_url.referrer(text, SITE, SITE)
    tags = page_url.parse(f"https://{SITE}/?{text}")
    for referrer, tag in ((sent, ""), ("", tags.utm_source), ("", text[:255])):
        found = _SOURCES.resolve(referrer, tag, tags.utm_medium, tags.utm_campaign, tags.click_id)
        "".join(found).encode("utf-8", "surrogateescape")


def _agent(data: bytes) -> None:
    user_agents.parse(data[: bounds.AGENT_CHARS].decode("latin-1"))


def _forwarded(data: bytes) -> None:
    for name in (b"x-forwarded-for", b"forwarded"):
        headers = [(name, data), (name, data[::-1])]
        client = _TRUST.client(_scope(headers=headers, client=("127.0.0.1", 1)))
        assert parse_address(client.address) == client.address


def _headers(data: bytes) -> None:
    names = (b"user-agent", b"accept-language", b"dnt", b"sec-gpc", b"authorization")
    headers = [(name, data) for name in names]
    _TRUST.client(_scope(headers=headers, client=("8.8.8.8", 1)))


def _cookies(data: bytes) -> None:
    request = Request(_scope(headers=[(b"cookie", data)]))
    request.cookies.get("analytics_session")
    flash.read(request, session="token")
    signed = flash._signature("token", data) + data
    cookie = f"{flash.COOKIE}={base64.urlsafe_b64encode(signed).decode()}"
    flash.read(Request(_scope(headers=[(b"cookie", cookie.encode())])), session="token")


def _version_1(data: bytes) -> None:
    stats_v1._filters(data.decode("utf-8", "replace"))


def _version_2(data: bytes) -> None:
    query_json.parse(data)


def _page_address(data: bytes) -> None:
    report_url.parse(SITE, QueryParams(data))


def _page_filter(data: bytes) -> None:
    filters.compile_filters(filters.parse([data.decode("utf-8", "replace")]))


def _domain(data: bytes) -> None:
    name = domain.normal(data.decode("utf-8", "surrogateescape"))
    assert domain.normal(name) == name
    domain.shown(name).encode()


def _segment(data: bytes) -> None:
    segment.base_of(data, "0.seg")
    for group in segment.groups(data, "0.seg", start=segment.HEADER_BYTES, first=0):
        for each in group.records:
            record.decode(each)


def _record(data: bytes) -> None:
    record.decode(data)


def _chunk(data: bytes) -> None:
    codec.read("rows-0-0-1", data)


_SHARED_MEMORY: Final = Path("/dev/shm")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None)


def _backup(data: bytes) -> None:
    with _folder() as name:
        source, folder = Path(name) / "backup", Path(name) / "data"
        source.write_bytes(data)
        folder.mkdir()
        unpack(source, folder, lambda _: None)
        outside = {path.name for path in Path(name).iterdir()}
        assert outside == {"backup", "data"}


def _configuration(data: bytes) -> None:
    with _folder() as name:
        config = Path(name) / "analytics.toml"
        config.write_bytes(data)
        load(config, {}, environment={})


def _backups() -> tuple[bytes, ...]:
    with _folder() as name:
        part = Path(name) / "part"
        part.write_bytes(b"what a catalog holds")
        target = Path(name) / "backup.tar"
        names = ("catalog.sqlite", "journal/00000000000000000000.seg")
        pack(target, [(each, part) for each in names], lambda _: None)
        whole = target.read_bytes()
    twice, odd = io.BytesIO(), io.BytesIO()
    for file, members in ((twice, (names[0], names[0])), (odd, ("../x", backup_file.MANIFEST))):
        with tarfile.open(fileobj=file, mode="w") as tar:
            for member in members:
                info = tarfile.TarInfo(member)
                info.size = 2
                tar.addfile(info, io.BytesIO(b"{}"))
    packed = [gzip.compress(whole), bz2.compress(whole), lzma.compress(whole)]
    return (whole.rstrip(b"\0"), *packed, twice.getvalue()[:3072], odd.getvalue()[:3072])


def _records() -> list[bytes]:
    records = sample.records(SITE, until=NOW, days=1, a_day=2, seed=1)
    return [record.encode(each) for each in list(records)[:3]]


def _chunks() -> tuple[bytes, ...]:
    rows = sample.batch(sample.records(SITE, until=NOW, days=1, a_day=2, seed=1)).rows[:3]
    line = LedgerLine(3, 3, 0, {"shield-ip": 1}, 0)
    span = RecordSpan(0, 2, {LedgerKey(SITE, NOW - NOW % HOUR_MS): line})
    return tuple(chunk.payload for chunk in codec.pack(0, [span], rows, []))


_EVENT: Final = (
    b'{"n":"pageview","u":"https://example.com/a?utm_source=x&gclid=1#/r?b=c","d":"example.com",'
    b'"r":"https://www.google.com/search","t":"A title","l":"de-DE","s":"1920x1080",'
    b'"id":"0190a5d0-0000-7000-8000-000000000001","ts":1795521600000,"vid":"abc","h":1}'
)
_PURCHASE: Final = (
    b'{"name":"Purchase","url":"app://com.example/x","domain":"example.com,2","props":{"a":"b",'
    b'"c":1.5,"d":true},"revenue":{"currency":"EUR","amount":"12.345"},"interactive":"false"}'
)
_ENGAGEMENT: Final = (
    b'{"n":"engagement","u":"/x","d":"1","sd":99,"e":"3000.5","m":"{\\"a\\":\\"\\\\ud83d\\"}"}'
)
_LINES: Final = (
    b'203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /blog HTTP/1.1" 200 512 "-" "' + _FIREFOX
    + b'"',
    (b'example.com:443 203.0.113.9, 10.0.0.1 - - [01/Jan/2026:00:00:60 -0330] "GET http://a.test/ '
    b'HTTP/2.0" 304 - "https://b.test/" "x\\x22" "203.0.113.7, 2001:db8::1"'),
)  # fmt: skip
_QUESTION: Final = (
    b'{"site_id":"example.com","metrics":["visitors","bounce_rate"],"date_range":["2026-01-01",'
    b'"2026-02-01T10:00:00Z"],"dimensions":["visit:source","time:day"],"filters":[["and",[["is",'
    b'"event:page",["/a"],{"case_sensitive":false}],["not",["contains","event:props:x",["y"]]],'
    b'["has_done",["is","event:name",["z"]]]]]],"order_by":[["visitors","desc"]],'
    b'"include":{"time_labels":true},"pagination":{"limit":10,"offset":0}}'
)
_URLS: Final = (b"https://u:p@www.Example.com:443/a?utm_source=a&ref=b#!/c?d=e", b"/a//b")
_REFERRERS: Final = (
    b"https://r.search.yahoo.com/search", b"https://m.search.xyz.google.co.uk/url", b"facebook_ads",
    b"android-app://com.google.android.gm/", b"ios-app://429/x", b"utm_source=Bing&utm_medium=cpc",
)  # fmt: skip
_AGENTS: Final = (
    _FIREFOX, b"curl/8.11.0", b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://a.test/bot.html)",
    (b"Mozilla/5.0 (Linux; Android 15; CUBOT X90 Build/AP3A.240617.008; wv) AppleWebKit/537.36 "
     b"(KHTML, like Gecko) Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 [FBAN/FB4A]"),
)  # fmt: skip
_PAGE_ADDRESSES: Final = (
    b"period=30d&f=is,page,/a&f=contains,source,x&metric=visitors",
    b"from=2026-01-01&to=2026-02-01&compare=1",
)
_CONFIGURATION: Final = (
    (
        b'data = "x"\n[serve]\nhost = "::1"\nport = 1\nmodules = ["ingest"]\n[ingest]\n'
        b'max_event_bytes = "64 KiB"\ntrusted_proxies = ["10.0.0.0/8"]\n[kafka]\n'
    ),
    b'serve.port = 8000\nstore.backend = "duckdb"\nregistry.heartbeat_s = 2.5\n',
)
_ADDRESSES: Final = (
    b"203.0.113.9, 10.0.0.1", b"[2001:db8::1]:443, ::ffff:10.0.0.1", b"fe80::1%eth0, unknown",
    b"for=192.0.2.60;proto=http", b"127.0.0.1:80,,8.8.8.8x",
)  # fmt: skip

TARGETS: Final = (
    Target("event", _event, (_EVENT, _PURCHASE, _ENGAGEMENT)),
    Target("batch", _batch, (b"[" + _EVENT + b"," + _PURCHASE + b"]", _EVENT + b"\n" + _PURCHASE)),
    Target("pixel", _pixel, (b"d=example.com&u=https%3A%2F%2Fexample.com%2F%3Fa&t=x&dnt=1&vid=a",)),
    Target("coding", _packed, (gzip.compress(_EVENT), zlib.compress(_EVENT))),
    Target("access-log", _log_line, _LINES),
    Target("url", _url, _URLS),
    Target("source", _source, _REFERRERS),
    Target("agent", _agent, _AGENTS),
    Target("forwarded", _forwarded, _ADDRESSES),
    Target("headers", _headers, (_FIREFOX, b"de-DE,de;q=0.9", b"Bearer abc", b"Basic YTpi", b"1")),
    Target("cookies", _cookies, (b"analytics_session=abc; a=b", b'{"path":"/","text":"x"}')),
    Target("stats-v1", _version_1, (b"visit:country==DE|FR;event:page!=/b/**", b"event:props:a~b")),
    Target("stats-v2", _version_2, (_QUESTION,)),
    Target("page", _page_address, _PAGE_ADDRESSES),
    Target("page-filter", _page_filter, (b"is,page,/a", b"contains_not,props:a%2Cb,x")),
    Target(
        "domain", _domain, (b"https://www.B\xc3\xbccher.example:8443/", b"xn--bcher-kva.example")
    ),
    Target("record", _record, tuple(_records())),
    Target("segment", _segment, (segment.header(0) + segment.pack(_records()) * 2,)),
    Target("chunk", _chunk, _chunks()),
    Target("backup", _backup, _backups()),
    Target("configuration", _configuration, _CONFIGURATION),
)
