"""One event in, one answer when it is durable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.ingest.world import ADDRESS, NOW, SITE, Ingesting, event, ingesting

from analytics.event import Hit
from analytics.limiter import Limiter
from analytics.person import Scope


async def test_an_event_is_202_with_its_place_in_the_log(world: Ingesting) -> None:
    answer = await world.post(event())
    assert (answer.status, answer.body) == (202, b"ok")
    assert answer.headers["x-analytics-receipt"] == "0-0"
    assert "x-analytics-dropped" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-analytics-receipt" in answer.headers["access-control-expose-headers"]
    (hit,) = await world.records()
    assert isinstance(hit, Hit)
    assert (hit.site, hit.path, hit.ts) == (SITE, "/a", NOW)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "x/y", ""])
async def test_the_content_type_does_not_matter(world: Ingesting, kind: str) -> None:
    assert (await world.post(event(), content_type=kind)).status == 202


async def test_each_site_has_its_receipt_and_each_drop_its_reason(world: Ingesting) -> None:
    answer = await world.post(event(d=f"{SITE},nobody.example"))
    assert answer.headers["x-analytics-receipt"] == "0-0,0-1"
    assert answer.headers["x-analytics-dropped"] == "unknown-site"


async def test_a_refusal_is_json_that_names_the_member(world: Ingesting) -> None:
    answer = await world.post({"n": "x"}, x_request_id="from-a-proxy")
    assert answer.status == 400
    assert answer.json == {
        "error": "url: it is missing; send the page's full address",
        "code": "malformed",
        "field": "url",
        "request_id": "from-a-proxy",
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_body_over_the_limit_is_413(world: Ingesting) -> None:
    answer = await world.post(event(t="x" * 10_000))
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert await world.records() == []


async def test_a_body_in_pieces_is_whole(world: Ingesting) -> None:
    body = json.dumps(event()).encode()
    pieces = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]
    assert (await world.ask("POST", "/api/event", pieces)).status == 202


async def test_an_old_time_is_403_and_an_unknown_key_401(world: Ingesting) -> None:
    assert (await world.post(event(ts=0))).status == 403
    assert (await world.post(event(), authorization="Bearer no")).status == 401


@pytest.mark.parametrize(
    "path",
    ["/api/event", "/api/events", "/pixel.gif", "/tracker.js", "/js/script.js"],
)
async def test_a_preflight_allows_the_headers_that_it_asks_for(world: Ingesting, path: str) -> None:
    asked = "baggage,content-type,sentry-trace,traceparent,x-b3-traceid"
    answer = await world.ask("OPTIONS", path, access_control_request_headers=asked)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == asked
    assert answer.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize("asked", ["a\r\nset-cookie: b", "a" * 5000, "a;b", "\x00", ""])
async def test_a_preflight_repeats_nothing_but_names(world: Ingesting, asked: str) -> None:
    answer = await world.ask("OPTIONS", "/api/event", access_control_request_headers=asked)
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == "content-type, authorization, x-debug-request"


@pytest.mark.parametrize("header", ["dnt", "sec_gpc"])
async def test_a_tag_may_ask_to_honour_who_opts_out(world: Ingesting, header: str) -> None:
    """Some browsers send the header, and tell the tag's script nothing of it."""
    dropped = await world.post(event(dnt=1), **{header: "1"})
    assert dropped.headers["x-analytics-dropped"] == "opted-out"
    for kept in (
        await world.post(event(dnt=1)),
        await world.post(event(dnt=1), **{header: "0"}),
        await world.post(event(), **{header: "1"}),
    ):
        assert "x-analytics-dropped" not in kept.headers


async def test_a_preflight_is_answered_and_another_method_refused(world: Ingesting) -> None:
    preflight = await world.ask("OPTIONS", "/api/event")
    assert preflight.status == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    refused = await world.ask("PUT", "/api/event")
    assert (refused.status, refused.json["code"]) == (405, "method_not_allowed")


async def test_too_many_of_one_address_are_429_with_a_time_to_wait(tmp_path: Path) -> None:
    async with ingesting(tmp_path, limiter=Limiter(1, 2)) as world:
        statuses = [(await world.post(event(), x_forwarded_for="8.8.8.8")).status for _ in range(3)]
        assert statuses == [202, 202, 429]
        for path in ("/api/event", "/api/events"):
            refused = await world.post(event(), path=path, x_forwarded_for="8.8.8.8")
            assert (refused.status, refused.json["code"]) == (429, "too_many")
            assert int(refused.headers["retry-after"]) >= 1
        assert (await world.post(event(), x_forwarded_for="8.8.4.4")).status == 202
        assert (await world.post(event(), peer="8.8.8.9")).status == 202


async def test_a_log_that_is_closed_is_503_with_a_time_to_wait(tmp_path: Path) -> None:
    async with ingesting(tmp_path) as world:
        pass
    for path in ("/api/event", "/api/events"):
        refused = await world.post(event(vid="a"), path=path)
        assert (refused.status, refused.json["code"]) == (503, "log_unavailable")
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_key_that_comes_too_often_is_slowed_down(tmp_path: Path) -> None:
    async with ingesting(tmp_path, key_limiter=Limiter(0.1, 2)) as world:
        headers = {"authorization": f"Bearer {await world.key(Scope.EVENTS_WRITE)}"}
        for path in ("/api/event", "/api/events"):
            answer = await world.post(event(), path=path, peer=ADDRESS, **headers)
            assert answer.status in (200, 202)
        slow = await world.post(event(), peer=ADDRESS, **headers)
        assert slow.status == 429
        assert 1 < int(slow.headers["retry-after"]) <= 10
        assert (await world.post(event(), peer=ADDRESS)).status == 202, "others are not"
