"""Whatever is sent, the server answers it in words or keeps it unharmed, and goes on."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unicodedata import category

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server import Server

SITE = "hostile.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TEXTS = [
    "'; DROP TABLE rows; --",
    '" OR 1=1 --',
    "$1 ? :name {0} %s",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title></script><svg onload=alert(1)>",
    "{{7*7}} ${7*7} #{7*7}",
    "../../../../etc/passwd",
    "\u202eright to left\u202c \ufeff\u200b",
    "日本語 🦊 Ünïcödé e\u0301",
    "a\u0000b\u0007c\nd\te",
    "\\u0000 \\ud800 \\",
    "=cmd|' /C calc'!A0",
    "null",
    "NaN",
    "x" * 2000,
]


def cleaned(text: str) -> str:
    """Return *text* without control characters, and without those that turn its direction."""
    return "".join(c for c in text if category(c) != "Cc" and c not in "\u202e\u202c")


class Asker:
    """Sends, and holds every answer to the rules."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, body: bytes, **headers: str) -> httpx2.Response:
        answer = await self.client.post(path, content=body, headers=headers)
        assert answer.status_code < 500, (path, body[:200], answer.text)
        if answer.status_code >= 400:
            problem = answer.json()
            assert problem["error"]
            assert problem["code"]
        return answer

    async def event(self, **members: Any) -> httpx2.Response:
        body = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, **members}
        return await self.post("/api/event", json.dumps(body).encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    server = Server(Path(tmp_path_factory.mktemp("hostile")) / "data")
    await server.command("site", "add", SITE)
    await server.start()
    try:
        yield server
        await server.balance()
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def asker(server: Server) -> AsyncIterator[Asker]:
    """Afterwards the server must be in health."""
    agent = {"user-agent": FIREFOX}
    async with httpx2.AsyncClient(base_url=server.url, timeout=60, headers=agent) as client:
        yield Asker(client)
        ready = await client.get("/health/ready")
        assert ready.status_code == 200, ready.text


pytestmark = pytest.mark.asyncio(loop_scope="module")
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def key(server: Server, *scopes: str) -> str:
    """A new key's secret, as a header."""
    made = await server.command(
        "key", "create", "--all-sites", "--scope", ",".join(scopes), "--json"
    )
    return "Bearer " + str(json.loads(made)["key"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(server: Server) -> str:
    return await key(server, "stats:read")


# What is not an event


@quick
@given(st.sampled_from(["/api/event", "/api/events"]), st.binary(max_size=200))
async def test_bytes_are_refused_in_words(asker: Asker, path: str, body: bytes) -> None:
    answer = await asker.post(path, body)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:  # lines, each refused for itself
        assert answer.json()["accepted"] == 0


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
MEMBERS = ["n", "name", "u", "url", "d", "domain", "r", "referrer", "p", "props", "m", "meta", "$",
           "revenue", "i", "interactive", "h", "hashMode", "sd", "e", "id", "ts", "vid", "t", "l",
           "s", "ip", "user_agent"]  # fmt: skip


@quick
@given(anything | st.dictionaries(st.sampled_from(MEMBERS), anything))
async def test_json_of_any_shape_is_taken_or_refused(asker: Asker, sent: object) -> None:
    members = sent if isinstance(sent, dict) else {}
    whole = {"n": "x", "u": f"https://{SITE}/", "d": SITE, **members}
    for body in (sent, whole, [sent, whole]):
        # json writes NaN and Infinity, which are no JSON, and lone surrogates as escapes.
        raw = json.dumps(body).encode()
        assert (await asker.post("/api/event", raw)).status_code in (202, 400, 403)
        assert (await asker.post("/api/events", raw)).status_code in (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"p":' * 100_000,
        b'{"n":"x","u":"/","d":"x","p":' + b"[" * 50_000,
        b'{"n":"' + b"x" * 60_000 + b'"}',
        b"x" * 10_000_000,
        b"[" * 10_000_000,
        b"[" + b"{}," * 3_000_000 + b"{}]",
        b"\n" * 10_000_000,
        b"\xff\xfe\x00",
        b"\xed\xa0\x80",
        b'{"n":"\\ud80","u":"/","d":"x"}',
        b'{"n":"x","u":"/","d":"x","ts":' + b"9" * 10_000 + b"}",
        b'{"n":"x","u":"/","d":"x","ts":NaN}',
        b'{"n":"x","u":"/","d":"x","ts":Infinity}',
        b'{"n":"x","u":"/","d":"x","ts":1e400}',
        b'{"n":"x","u":"/","d":"x","sd":-1e400}',
        b"",
        b"null",
    ],
    ids=lambda body: f"{body[:24]!r}-{len(body)}",
)
async def test_monsters_are_refused(asker: Asker, body: bytes) -> None:
    one = await asker.post("/api/event", body)
    assert one.status_code in (400, 413)
    many = await asker.post("/api/events", body)
    assert many.status_code in (400, 413) or many.json()["accepted"] == 0
    question = await asker.post("/api/v2/query", body)
    assert question.status_code in (401, 413)


# What is an event, and hostile


async def test_hostile_text_in_every_field_is_stored_without_what_steers_a_display(
    asker: Asker, server: Server
) -> None:
    sent: dict[str, str] = {}
    for text in TEXTS:
        event_id = str(uuid.uuid4())
        answer = await asker.event(
            id=event_id, n=text[:100], t=text, l=text, s=text, r=f"https://a.example/{text}",
            u=f"https://{SITE}/{text}?utm_source={text}&gclid={text}", p={text[:200]: text},
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        sent[event_id] = cleaned(text)
    rows = {row["event_id"]: row for row in await server.rows(SITE)}
    for event_id, text in sent.items():
        row = rows[event_id]
        assert row["name"] == text[:100]
        assert row["title"] == text[:500]
        assert re.fullmatch(r"[a-z]{2,8}(-[a-z0-9]{1,8})*|", row["language"])
        assert row["language"] in ("", text[:35].lower())
        assert row["props"] == {text[:200]: text}
        assert row["hostname"] == SITE
        path = "/" + text.partition("?")[0].partition("#")[0]
        assert row["path"] == path.replace("\\", "/")[:2000], "as a browser reads it"
        assert row["screen"] == ""
        assert row["referrer"].startswith("a.example")


URLS = [
    "javascript:alert(1)", "data:text/html,<script>", "http://", "http:///", "//", "?", "#", "/",
    "http://[::1", "http://a:99999/", "http://%00/", "http://" + "a." * 3000 + "b/", "\\\\a\\b",
    "http://user:pass@evil.example/", "file:///etc/passwd", "http://xn--a/", "http://\u202e/",
    "http://127.0.0.1:22/", "ftp://a/b", "http://a/" + "%" * 3000, "http://a/?" + "&" * 5_000,
    "http://a/?utm_source=" + "%ff" * 100, "HTTP://A/B", " \t\n", "gopher://\x00", "http://é/",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url[:20]))
async def test_a_hostile_address_is_stored_or_refused(asker: Asker, url: str) -> None:
    assert (await asker.event(u=url)).status_code in (202, 400)
    assert (await asker.event(r=url)).status_code == 202
    pixel = await asker.client.get("/pixel.gif", params={"d": SITE, "u": url, "r": url, "t": url})
    assert pixel.status_code in (200, 400)


@pytest.mark.parametrize(
    "site",
    [*TEXTS, "", " ", ",", "a" * 10_000, ",".join(map(str, range(30)))],
    ids=lambda site: repr(site[:12]),
)
async def test_a_hostile_site_is_unknown_or_refused(asker: Asker, site: str) -> None:
    answer = await asker.event(d=site)
    assert answer.status_code in (202, 400), answer.text
    if answer.status_code == 202:
        assert "unknown-site" in answer.headers["x-analytics-dropped"]


async def test_hostile_headers_harm_nothing(asker: Asker) -> None:
    for text in ("<script>", "' OR 1=1", "\xff\xfe", "x" * 8000, "::1%<b>", ",,,", "1.2.3.4:x"):
        answer = await asker.client.post(
            "/api/event",
            json={"n": "x", "u": f"https://{SITE}/", "d": SITE},
            headers=[
                (name, text.encode("latin-1"))
                for name in ("x-forwarded-for", "user-agent", "accept-language", "dnt", "cookie",
                             "referer", "origin", "x-request-id")
            ],
        )  # fmt: skip
        assert answer.status_code == 202, answer.text
        header = [("x-forwarded-for", text.encode("latin-1"))]
        assert (await asker.client.get("/api/whoami", headers=header)).status_code == 200


async def test_a_batch_forwards_hostile_visitors_unharmed(asker: Asker, server: Server) -> None:
    header = await key(server, "events:write")
    items = [
        {"n": "x", "u": f"https://{SITE}/", "d": SITE, "ip": text, "user_agent": text, "ts": ts}
        for text in [*TEXTS, "8.8.8.8", "fe80::1%eth0", "::ffff:1.2.3.4"]
        for ts in (0, 1, 1 << 46, -1, 1e15)
    ]
    answer = await asker.post("/api/events", json.dumps(items).encode(), authorization=header)
    assert answer.status_code == 200
    assert {item["status"] for item in answer.json()["results"]} == {202, 400}


# Questions


REGEXES = ["(a+)+$", "(a|a)*b", "[", "(?=a)", "\\", "a{1000}{1000}", "(" * 5000, ".*" * 500, "",
           "^(([a-z])+.)+[A-Z]([a-z])+$", "\u0000"]  # fmt: skip
FILTERS: list[object] = [
    *([["is", "event:page", [text]]] for text in TEXTS),
    *([["contains", "event:props:" + text, [text]]] for text in TEXTS),
    *([["matches", "event:page", [regex]]] for regex in REGEXES),
    [["is", "event:page'; DROP TABLE rows; --", ["x"]]],
    [["is", "visit:source", []]],
    [["is", "visit:source", ["x"] * 5000]],
    [["like", "visit:source", ["x"]]],
    [["is", "visit:source", "x"]],
    [["is", ["visit:source"], ["x"]]],
    [["and", []]],
    [["not", ["not", ["not", ["is", "visit:source", ["x"]]]]]],
    *("x", 5, [5], [[]], {"a": 1}, [None], [["is"]], [["is", "event:page", [None]]]),
]


async def test_hostile_filters_are_refused_or_answered_rightly(
    asker: Asker, server: Server
) -> None:
    header = await key(server, "stats:read")
    nobody = f"/nobody-{uuid.uuid4()}"
    for filters in FILTERS:
        question = {"site_id": SITE, "metrics": ["pageviews"], "date_range": "all"}
        body = json.dumps({**question, "filters": filters}).encode()
        answer = await asker.post("/api/v2/query", body, authorization=header)
        assert answer.status_code in (200, 400), (filters, answer.text)
        if isinstance(filters, list) and answer.status_code == 200:
            both = [*filters, ["is", "event:page", [nobody]]]
            none = await asker.post(
                "/api/v2/query",
                json.dumps({**question, "filters": both}).encode(),
                authorization=header,
            )
            assert none.json()["results"][0]["metrics"] == [0]


@quick
@given(
    st.dictionaries(
        st.sampled_from(["site_id", "metrics", "date_range", "dimensions", "filters", "order_by",
                         "include", "pagination", "x"]),
        anything | st.lists(st.sampled_from(["visitors", "time", "event:page", "is", "all"])),
    )
)  # fmt: skip
async def test_questions_of_any_shape_are_answered_or_refused(
    asker: Asker, reader: str, members: dict[str, object]
) -> None:
    usual = {"site_id": SITE, "metrics": ["visitors"], "date_range": "7d"}
    for body in (members, {**usual, **members}):
        answer = await asker.post("/api/v2/query", json.dumps(body).encode(), authorization=reader)
        assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "wait",
    ["", "x", "0", "0-", "-1", "0-99999999", "1-0", "0-1,x", "0-" + "9" * 5000, "٣-٣", "0-1" * 999],
    ids=lambda wait: repr(wait[:12]),
)
async def test_a_wait_for_nonsense_is_refused(asker: Asker, reader: str, wait: str) -> None:
    body = json.dumps({"site_id": SITE, "metrics": ["visitors"], "date_range": "7d"})
    answer = await asker.client.post(
        "/api/v2/query", params={"wait": wait}, content=body, headers={"authorization": reader}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["field"] == "wait"


@pytest.mark.parametrize("text", [*TEXTS, "%00", "%2e%2e", "%ff"], ids=lambda text: repr(text[:12]))
async def test_hostile_paths_and_parameters_are_answered_in_words(asker: Asker, text: str) -> None:
    for path in ("/api/ledger", "/api/v1/stats/realtime/visitors"):
        answer = await asker.client.get(path, params={"site": text, "site_id": text, "wait": text})
        assert answer.status_code == 401
    for place in ("/api/{}", "/{}", "/static/{}", "/{}/live", "/{}/list/x"):
        path = place.format(text)
        if any(ord(c) < 32 or ord(c) > 126 for c in path) or "#" in path or "?" in path:
            continue
        answer = await asker.client.get(path)
        assert answer.status_code < 500, (path, answer.text)
