"""The gate finds the way of a request, and gives every error one shape."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from analytics import errors
from analytics.gateway.gate import Gate

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


async def direct(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("direct")(scope, receive, send)


async def fail(request: Request) -> Response:
    raise FAULTS[request.path_params["code"]]


ROUTES: list[BaseRoute] = [
    Route("/api/fail/{code}", fail),
    Route("/page/{code}", fail),
    Route("/api/exact", fail),
]


def client(gate: Gate) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(gate, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://gate.example")


@pytest.fixture
async def plain() -> AsyncIterator[httpx2.AsyncClient]:
    async with client(Gate({"/api/exact": direct}, ROUTES)) as asking:
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
        assert said == {"error": "something went wrong here; it was logged", "code": "internal"}
        return
    assert answer.status_code == fault.status
    assert (said["error"], said["code"]) == (str(fault), fault.code)
    assert ("field" in said) == isinstance(fault, errors.Malformed)
    assert set(said) <= {"error", "code", "field"}


async def test_who_should_try_again_is_told_when(plain: httpx2.AsyncClient) -> None:
    for code, seconds in (("too_many", "3"), ("log_unavailable", "5"), ("not_visible_yet", "1")):
        assert (await plain.get(f"/api/fail/{code}")).headers["retry-after"] == seconds
    assert "retry-after" not in (await plain.get("/api/fail/forbidden")).headers


async def test_what_is_not_there_is_said_in_json_too(plain: httpx2.AsyncClient) -> None:
    missing = await plain.get("/api/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "http")
    wrong = await plain.put("/api/fail/invalid")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "http")


async def test_pages_have_their_own_errors_and_the_api_keeps_json() -> None:
    def page(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"page: {type(error).__name__}", getattr(error, "status", 500))

    async with client(Gate({}, ROUTES, page)) as asking:
        assert (await asking.get("/page/not_found")).text == "page: NotFound"
        broken = await asking.get("/page/internal")
        assert (broken.status_code, broken.text) == (500, "page: ZeroDivisionError")
        assert (await asking.get("/nothing")).text == "page: HTTPException"
        for path in ("/api/fail/not_found", "/api/nothing", "/health/nothing", "/metrics"):
            assert "error" in (await asking.get(path)).json()
