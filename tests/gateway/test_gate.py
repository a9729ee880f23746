"""The gate finds the way of a request, and gives every error one shape."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from analytics import errors
from analytics.gateway import middleware
from analytics.gateway.gate import Gate
from analytics.module import Module

FAULTS: dict[str, Exception] = {
    "malformed": errors.Malformed("domain", "it is missing"),
    "whole": errors.Malformed("", "the body is empty"),
    "invalid": errors.Invalid("no"),
    "unauthenticated": errors.Unauthenticated("who are you?"),
    "forbidden": errors.Forbidden("not yours"),
    "not_found": errors.NotFound("there is none"),
    "conflict": errors.Conflict("it exists"),
    "too_large": errors.TooLarge("too much"),
    "too_many": errors.TooMany("slow down", retry_after=2.6),
    "log_unavailable": errors.LogUnavailable("the disk is full", retry_after=5),
    "not_visible_yet": errors.NotVisibleYet("a moment", retry_after=0.2),
    "misconfigured": errors.Misconfigured("the operator must act"),
    "corrupt": errors.Corrupt("damaged"),
    "internal": ZeroDivisionError("secret detail"),
}


class Direct:
    """An endpoint behind an exact path, which keeps rules of its own."""

    method = "POST"
    charges = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("direct")(scope, receive, send)


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def fail(request: Request) -> Response:
    raise FAULTS[request.path_params["code"]]


async def long(request: Request) -> Response:
    return PlainTextResponse("word " * 1000)


ROUTES: list[BaseRoute] = [
    Route("/api/fail/{code}", fail),
    Route("/page/{code}", fail),
    Route("/api/exact", fail),
    Route("/api/echo", echo, methods=["POST"]),
    Route("/long", long),
]


def gated(**rules: Any) -> Gate:
    return Gate(
        [Module(name="gateway", routes=ROUTES, paths={"/api/exact": Direct()})],
        ["gateway"],
        **rules,
    )


def client(gate: Gate) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(gate, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://gate.example")


@pytest.fixture
async def plain() -> AsyncIterator[httpx2.AsyncClient]:
    async with client(gated()) as asking:
        yield asking


async def test_an_exact_path_goes_before_all_routes(plain: httpx2.AsyncClient) -> None:
    assert (await plain.get("/api/exact")).text == "direct"
    assert (await plain.post("/api/exact?a=1")).text == "direct"
    assert (await plain.get("/api/exact/")).status_code != 200


@pytest.mark.parametrize("code", FAULTS)
async def test_every_error_has_one_shape(plain: httpx2.AsyncClient, code: str) -> None:
    fault = FAULTS[code]
    answer = await plain.get(f"/api/fail/{code}")
    said = answer.json()
    if not isinstance(fault, errors.AnalyticsError):
        assert answer.status_code == 500
        assert said.pop("request_id") == answer.headers["x-request-id"]
        assert said == {"error": "something went wrong here; it was logged", "code": "internal"}
        return
    assert answer.status_code == fault.status
    assert (said["error"], said["code"]) == (str(fault), fault.code)
    assert ("field" in said) == isinstance(fault, errors.Malformed)
    assert said["request_id"] == answer.headers["x-request-id"]
    assert set(said) <= {"error", "code", "field", "request_id"}


async def test_who_should_try_again_is_told_when(plain: httpx2.AsyncClient) -> None:
    for code, seconds in (("too_many", "3"), ("log_unavailable", "5"), ("not_visible_yet", "1")):
        assert (await plain.get(f"/api/fail/{code}")).headers["retry-after"] == seconds
    assert "retry-after" not in (await plain.get("/api/fail/forbidden")).headers


async def test_what_is_not_there_is_said_in_json_too(plain: httpx2.AsyncClient) -> None:
    missing = await plain.get("/api/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await plain.put("/api/fail/invalid")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD"


async def test_pages_have_their_own_errors_and_the_api_keeps_json() -> None:
    def page(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"page: {type(error).__name__}", getattr(error, "status", 500))

    async with client(gated(error_page=page)) as asking:
        assert (await asking.get("/page/not_found")).text == "page: NotFound"
        broken = await asking.get("/page/internal")
        assert (broken.status_code, broken.text) == (500, "page: ZeroDivisionError")
        assert (await asking.get("/nothing")).text == "page: HTTPException"
        for path in ("/api/fail/not_found", "/api/nothing", "/health/nothing", "/metrics"):
            assert "error" in (await asking.get(path)).json()


async def test_every_answer_has_an_id_the_senders_own_if_it_is_sane(
    plain: httpx2.AsyncClient,
) -> None:
    for path in ("/api/exact", "/api/fail/invalid", "/api/nothing"):
        sent = await plain.get(path, headers={"x-request-id": "7F00:9-a_b"})
        assert sent.headers["x-request-id"] == "7F00:9-a_b"
        made = [(await plain.get(path)).headers["x-request-id"] for _ in range(2)]
        assert all(re.fullmatch("[0-9a-f]{8}-[0-9a-f]+", each) for each in made)
        assert made[0] != made[1]
    for nonsense in ("", "a b", "x" * 129, 'a"b', "{}"):
        answer = await plain.get("/api/nothing", headers={"x-request-id": nonsense})
        assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]+", answer.headers["x-request-id"])


async def test_the_log_knows_a_request_by_its_id(plain: httpx2.AsyncClient) -> None:
    processors = [structlog.contextvars.merge_contextvars]
    with capture_logs(processors=processors) as lines:
        await plain.get("/api/fail/internal", headers={"x-request-id": "one"})
        await plain.get("/api/fail/corrupt", headers={"x-request-id": "two"})
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("request_failed", "one"),
        ("request_refused", "two"),
    ]


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 100
            yield b"x" * 100

    async with client(gated(max_body_bytes=1000)) as asking:
        assert (await asking.post("/api/echo", content=b"x" * 1000)).text == "1000"
        told = await asking.post("/api/echo", content=b"x" * 1001)
        assert (told.status_code, told.json()["code"]) == (413, "too_large")
        found = await asking.post("/api/echo", content=pieces())
        assert (found.status_code, found.json()["code"]) == (413, "too_large")


async def test_an_answer_without_headers_of_its_own_gets_those_of_data(
    plain: httpx2.AsyncClient,
) -> None:
    for path in ("/api/fail/invalid", "/api/nothing", "/page/internal"):
        headers = (await plain.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"


async def test_who_asks_too_often_is_refused_before_any_route() -> None:
    def check(scope: Scope) -> None:
        raise errors.TooMany("slow down", retry_after=7)

    async with client(gated(check=check)) as asking:
        for path in ("/api/echo", "/page/invalid", "/nothing", "/health/ready", "/metrics"):
            refused = await asking.get(path)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "7"
        assert (await asking.post("/api/exact")).status_code == 200, "it counts for itself"
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            assert (await asking.request(method, "/api/exact")).status_code == 429
        assert (await asking.get("/health/live")).status_code == 404, "who watches is not counted"


async def test_only_origins_that_are_named_may_call_the_api_from_a_browser() -> None:
    page = {"origin": "https://a.example"}
    ask = {**page, "access-control-request-method": "POST"}
    async with client(gated()) as asking:
        assert (
            "access-control-allow-origin"
            not in (await asking.post("/api/echo", headers=page)).headers
        )
    async with client(gated(cors_origins=["https://a.example"])) as asking:
        said = (await asking.post("/api/echo", headers=page)).headers
        assert said["access-control-allow-origin"] == "https://a.example"
        assert "access-control-allow-credentials" not in said
        traced = {**ask, "access-control-request-headers": "authorization,traceparent"}
        preflight = await asking.options("/api/echo", headers=traced)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-headers"] == "authorization,traceparent"
        other = {**ask, "origin": "https://b.example"}
        assert (await asking.options("/api/echo", headers=other)).status_code == 400
        on_page = (await asking.get("/page/invalid", headers=page)).headers
        assert "access-control-allow-origin" not in on_page


async def test_a_path_of_a_module_that_is_served_elsewhere_says_so() -> None:
    modules = [
        Module(
            routes=[Route("/api/b/{x}", echo, methods=["POST"])],
            paths={"/api/a": Direct()},
            name="a",
        ),
        Module(routes=[Mount("/files", app=Direct()), Route("/{any}", echo)], name="b"),
    ]
    both, one = Gate(modules, ["a", "b"]), Gate(modules, ["b"])
    assert both.takes("/api/a")
    assert not one.takes("/api/a")
    async with client(one) as asking:
        for method, path in (("GET", "/api/a"), ("POST", "/api/b/1"), ("DELETE", "/api/b/1")):
            answer = await asking.request(method, path)
            assert answer.status_code == 404
            assert "does not answer for a (serve.modules)" in answer.json()["error"]
        assert (await asking.get("/page")).status_code == 200
    async with client(Gate(modules, ["a"])) as asking:
        assert "does not answer for b" in (await asking.get("/files/x")).json()["error"]
        assert "does not answer for b" in (await asking.get("/page")).json()["error"]
    assert [(line.path, line.methods, line.module, line.served) for line in one.table()] == [
        ("/api/a", "POST", "a", False),
        ("/api/b/{x}", "POST", "a", False),
        ("/…", "GET", "b", True),
        ("/{any}", "GET", "b", True),
    ]


async def test_long_answers_are_compressed_for_clients_that_accept_it(
    plain: httpx2.AsyncClient,
) -> None:
    packed = await plain.get("/long", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 200
    assert packed.text == "word " * 1000
    identity = await plain.get("/long", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in identity.headers
    for answer in (packed, identity):
        assert answer.headers["vary"].lower() == "accept-encoding"
    short = await plain.post("/api/echo", content=b"abc")
    assert "content-encoding" not in short.headers


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        (b"http://evil.example/login?next=%2F", b"/login?next=%2F"),
        (b"https://evil.example//evil.example/x", b"/evil.example/x"),
        (b"/login", b"/login"),
        (b"http://evil.example", b"/"),
    ],
)
async def test_a_redirect_names_no_host(location: bytes, kept: bytes) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    start = {"type": "http.response.start", "status": 307, "headers": [(b"location", location)]}
    await middleware.staying(send)(start)
    assert sent[0]["headers"] == [(b"location", kept)]
