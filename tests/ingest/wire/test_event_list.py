"""Many events in one request: each is answered for itself."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.ingest.world import FIREFOX, NOW, SITE, Answer, Ingesting, event, ingesting

from analytics import bounds
from analytics.event import Drop, Hit
from analytics.person import Scope

OLD = NOW - 100 * 86_400_000


async def posted(world: Ingesting, *events: object, **headers: str) -> Answer:
    return await world.post(*events, path="/api/events", **headers)


async def array(world: Ingesting, *events: object, **headers: str) -> Answer:
    return await world.ask("POST", "/api/events", json.dumps(events).encode(), **headers)


def statuses(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    return [item["status"] for item in answer.json["results"]]


async def test_an_array_and_lines_are_taken_alike(world: Ingesting) -> None:
    events = [event(id=str(uuid.UUID(int=n)), u=f"https://{SITE}/{n}") for n in range(3)]
    lines = await posted(world, *events)
    whole = await array(world, *events)
    assert (lines.json["accepted"], lines.json["refused"]) == (3, 0)
    assert [item["receipt"] for item in lines.json["results"]] == ["0-0", "0-1", "0-2"]
    assert [item["receipt"] for item in whole.json["results"]] == ["0-3", "0-4", "0-5"]
    assert [r.path for r in await world.records()] == ["/0", "/1", "/2"] * 2  # type: ignore[union-attr]


async def test_blank_lines_and_either_end_of_line_are_fine(world: Ingesting) -> None:
    one = json.dumps(event()).encode()
    answer = await world.ask("POST", "/api/events", b"\n\r\n" + one + b"\r\n  \n" + one + b"\n")
    assert statuses(answer) == [202, 202]


@pytest.mark.parametrize(
    "write",
    [
        lambda events: json.dumps(events[0], indent=2),
        lambda events: "\n".join(json.dumps(event, indent=2) for event in events),
        lambda events: "".join(json.dumps(event, indent=2) for event in events).replace("\n", ""),
        lambda events: "".join(map(json.dumps, events)),
        lambda events: " ".join(map(json.dumps, events)) + "\n",
        lambda events: json.dumps(events, indent=2),
        lambda events: json.dumps(events, indent=2).replace("\n", "\r\n"),
    ],
)
async def test_objects_are_taken_however_they_are_spread_over_lines(
    world: Ingesting, write: Callable[[list[dict[str, object]]], str]
) -> None:
    events = [event(p={"text": "a } { b", "size": n, "ü": "\n"}) for n in (1, 2)]
    body = write(events)
    answer = await world.ask("POST", "/api/events", body.encode())
    records = await world.records()
    assert statuses(answer) == [202] * len(records)
    sizes = [record.props["size"] for record in records]  # type: ignore[union-attr]
    assert sizes == (["1", "2"] if body.count('"size"') == 2 else ["1"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{\n "n": "x"\n "u": "y"\n}', "Expecting ',' delimiter (line 3, column 2)"),
        (b'{\n "n": "x",\n', "is not JSON"),
        (b"[1,", "it ends too early"),
        (b"n=pageview&u=https%3A%2F%2Fe.com", "is not JSON"),
        (b"", "the body is empty"),
        (b"[]", "the list is empty"),
        (b'{\n"n": "\xff"\n}', "is not UTF-8"),
        (b'{"n":\n' * 20_000, "nested too deeply"),
    ],
)
async def test_what_is_wrong_is_told_with_how_to_send_it(
    world: Ingesting, body: bytes, reason: str
) -> None:
    answer = await world.ask("POST", "/api/events", body)
    assert answer.status == 400
    assert reason in answer.json["error"]
    assert "one event a line (curl: --data-binary @file)" in answer.json["error"]


async def test_many_events_at_the_endpoint_of_one_are_told_where_to_go(world: Ingesting) -> None:
    one = json.dumps(event())
    for body in (f"[{one}]", f"{one}\n{one}"):
        answer = await world.ask("POST", "/api/event", body.encode())
        assert answer.status == 400
        assert "send several events to /api/events" in answer.json["error"]
    assert (await posted(world, event(u=5))).json["results"][0]["error"] == (
        "u: must be text, not a number"
    )


async def test_one_bad_item_refuses_only_itself(world: Ingesting) -> None:
    answer = await array(world, event(), {"n": "x"}, 5, event(id="no"), event())
    assert statuses(answer) == [202, 400, 400, 400, 202]
    assert (answer.json["accepted"], answer.json["refused"]) == (2, 3)
    fields = [item.get("field") for item in answer.json["results"]]
    assert fields == [None, "url", "", "id", None]
    assert len(await world.records()) == 2


async def test_a_line_that_is_no_json_refuses_only_itself(world: Ingesting) -> None:
    good = json.dumps(event()).encode()
    hostile = [b"{", b"\xff\xfe", b"{" * 5_000, b'{"n":NaN}', b'"\\ud800"']
    answer = await world.ask("POST", "/api/events", b"\n".join([good, *hostile, good]))
    assert statuses(answer) == [202, 400, 400, 400, 400, 400, 202]


@pytest.mark.parametrize(
    "body", [b"", b" \n ", b"[]", b"[", b"[1,", b"[" * 100_000, b"[\xff]", b'[{"n":"x"}']
)
async def test_a_body_that_holds_no_events_is_refused_whole(world: Ingesting, body: bytes) -> None:
    answer = await world.ask("POST", "/api/events", body)
    assert answer.status == 400
    assert answer.json["code"] == "malformed"
    assert await world.records() == []


async def test_a_body_that_is_too_large_is_refused_unread(world: Ingesting) -> None:
    read = []

    def pieces() -> object:
        for number in range(1000):
            read.append(number)
            yield {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    answer = await world.ask("POST", "/api/events", pieces())  # type: ignore[arg-type]
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert len(read) == 21


async def test_half_a_body_is_none(world: Ingesting) -> None:
    half = json.dumps(event()).encode() + b"\n"
    answer = await world.ask(
        "POST", "/api/events", [{"type": "http.request", "body": half, "more_body": True}]
    )
    assert answer.status == 400
    assert await world.records() == []


async def test_more_items_than_a_request_may_have_are_refused(world: Ingesting) -> None:
    body = b"[" + b",".join([b"1"] * 20_001) + b"]"
    secret = await world.key(Scope.EVENTS_WRITE)
    answer = await world.ask("POST", "/api/events", body, authorization=f"Bearer {secret}")
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert "at most 20,000" in answer.json["error"]


@pytest.mark.parametrize("scopes", [(), (Scope.STATS_READ,)])
async def test_without_a_key_that_may_write_a_batch_is_small(
    world: Ingesting, scopes: tuple[Scope, ...]
) -> None:
    headers = {}
    if scopes:
        headers["authorization"] = f"Bearer {await world.key(*scopes)}"
    most = await array(world, *[event()] * bounds.OPEN_BATCH_EVENTS, **headers)
    assert most.status == 200
    for send in (array, posted):
        more = await send(world, *[event()] * (bounds.OPEN_BATCH_EVENTS + 1), **headers)
        assert (more.status, more.json["code"]) == (413, "too_large")
        assert "at most 100 at once, or more with a key" in more.json["error"]


async def test_a_large_body_needs_a_key(tmp_path: Path) -> None:
    body = b" " * 40_000 + json.dumps([event()]).encode()
    async with ingesting(tmp_path, max_open_batch_bytes=30_000) as world:
        answer = await world.ask("POST", "/api/events", body)
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        packed = await world.ask("POST", "/api/events", gzip.compress(body))
        assert (packed.status, packed.json["code"]) == (413, "too_large")
        secret = await world.key(Scope.EVENTS_WRITE)
        answer = await world.ask("POST", "/api/events", body, authorization=f"Bearer {secret}")
        assert statuses(answer) == [202]


async def test_an_item_is_no_larger_than_one_event_may_be(world: Ingesting) -> None:
    large = event(u=f"https://{SITE}/" + "x" * world.max_event_bytes)
    for send in (array, posted):
        answer = await send(world, event(), large, event())
        assert statuses(answer) == [202, 413, 202]
        assert answer.json["results"][1]["code"] == "too_large"
    assert len(await world.records()) == 4


async def test_a_long_batch_keeps_its_order_and_each_items_receipt(world: Ingesting) -> None:
    paths = [f"/{n}" for n in range(1200)]
    events = [event(u=f"https://{SITE}{path}", n="x") for path in paths]
    body = json.dumps(events).encode()
    secret = await world.key(Scope.EVENTS_WRITE)
    answer = await world.ask("POST", "/api/events", body, authorization=f"Bearer {secret}")
    receipts = [item["receipt"] for item in answer.json["results"]]
    assert receipts == [f"0-{n}" for n in range(1200)]
    assert [record.path for record in await world.records()] == paths  # type: ignore[union-attr]


# Drops


async def test_a_drop_is_accepted_and_says_why(world: Ingesting) -> None:
    answer = await array(world, event(d="nobody.example"), event(d=f"{SITE},nobody.example"))
    assert answer.json["results"] == [
        {"status": 202, "dropped": "unknown-site", "receipt": "0-0"},
        {"status": 202, "dropped": "unknown-site", "receipt": "0-1,0-2"},
    ]
    kinds = [type(record) for record in await world.records()]
    assert kinds == [Drop, Hit, Drop]


# Keys


async def test_what_needs_a_key_is_403_without_one_and_refuses_only_itself(
    world: Ingesting,
) -> None:
    answer = await array(
        world, event(ip="8.8.8.8"), event(user_agent="x"), event(ts=OLD), event(ts=NOW - 1000)
    )
    assert statuses(answer) == [403, 403, 403, 202]
    assert {item["code"] for item in answer.json["results"][:3]} == {"forbidden"}


async def test_with_a_key_a_server_reports_its_visitors(world: Ingesting) -> None:
    secret = await world.key(Scope.EVENTS_WRITE, site=SITE)
    answer = await array(
        world,
        event(ip="8.8.8.8", user_agent=FIREFOX, ts=OLD),
        event(ip="nonsense"),
        authorization=f"Bearer {secret}",
        user_agent="python-requests/2",
    )
    assert statuses(answer) == [202, 400]
    assert answer.json["results"][1]["field"] == "ip"
    (hit,) = await world.records()
    assert isinstance(hit, Hit)
    assert (hit.country, hit.browser, hit.bot, hit.ts) == ("US", "Firefox", None, OLD)


async def test_a_key_does_not_reach_other_sites(world: Ingesting) -> None:
    await world.catalog.sites.add("b.example", timezone="Etc/UTC")
    secret = await world.key(Scope.EVENTS_WRITE, site="b.example")
    answer = await array(
        world,
        event(),
        event(d="b.example"),
        event(d="b.example,example.com"),
        authorization=f"Bearer {secret}",
    )
    assert statuses(answer) == [403, 202, 403]
    assert [record.site for record in await world.records()] == ["b.example"]


async def test_an_unknown_key_refuses_the_whole_request(world: Ingesting) -> None:
    answer = await array(world, event(), authorization="Bearer nonsense")
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert await world.records() == []


# HTTP


async def test_a_preflight_is_answered_and_another_method_refused(world: Ingesting) -> None:
    preflight = await world.ask("OPTIONS", "/api/events")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert (await world.ask("GET", "/api/events")).status == 405


async def test_what_was_taken_and_refused_is_counted(world: Ingesting) -> None:
    await array(world, event(), event(), {"n": "x"}, event(ts=OLD))
    await array(world)
    assert world.module.counts.accepted == 2
    assert world.module.counts.refusals == {"malformed": 2, "forbidden": 1}


async def test_half_an_emoji_costs_no_event_of_an_array(world: Ingesting) -> None:
    # json writes a lone surrogate as the escape that browsers write.
    events = [event(t="cut \ud83d"), event(t="whole")]
    assert statuses(await array(world, *events)) == [202, 202]
    assert statuses(await posted(world, *events)) == [202, 202]
    titles = [hit.title for hit in await world.records() if isinstance(hit, Hit)]
    assert [title.rstrip("\ufffd ") for title in titles] == ["cut", "whole"] * 2
