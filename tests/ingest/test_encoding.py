"""A packed body is unpacked within a bound, or refused whole."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
from tests.ingest.world import Answer, Ingesting, event

from analytics.event import Hit

ONE = json.dumps(event()).encode()
LINES = b"\n".join([ONE] * 3)
PATHS = ("/api/event", "/api/events")


async def posted(world: Ingesting, path: str, body: bytes, **headers: str) -> Answer:
    return await world.ask("POST", path, body, **headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("label", ["gzip", "deflate", "identity", ""])
async def test_the_bytes_say_that_a_body_is_packed(
    world: Ingesting, path: str, pack: type[bytes], label: str
) -> None:
    answer = await posted(world, path, pack(ONE), content_encoding=label)
    assert answer.status in (200, 202)
    (hit,) = await world.records()
    assert isinstance(hit, Hit)
    assert hit.path == "/a"


async def test_a_packed_batch_is_many_events(world: Ingesting) -> None:
    for body in (gzip.compress(LINES), gzip.compress(ONE + b"\n") + gzip.compress(ONE)):
        answer = await posted(world, "/api/events", body, content_type="application/x-ndjson")
        assert answer.json["refused"] == 0
    assert len(await world.records()) == 5


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_was_unpacked_on_its_way_is_read(world: Ingesting, path: str) -> None:
    answer = await posted(world, path, ONE, content_encoding="gzip")
    assert answer.status in (200, 202)
    assert len(await world.records()) == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_mark_of_the_byte_order_is_passed_over(world: Ingesting, path: str) -> None:
    for body in (b"\xef\xbb\xbf" + ONE, gzip.compress(b"\xef\xbb\xbf" + ONE)):
        answer = await posted(world, path, body)
        assert answer.status in (200, 202)
        assert b"malformed" not in answer.body
    assert len(await world.records()) == 2


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br"])
async def test_another_coding_is_refused_by_its_name(
    world: Ingesting, path: str, coding: str
) -> None:
    answer = await posted(world, path, brotli.compress(ONE), content_encoding=coding)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_coding")
    assert coding in answer.json["error"]
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert await world.records() == []


@pytest.mark.parametrize("path", PATHS)
async def test_what_unpacks_to_more_than_is_allowed_is_too_large(
    world: Ingesting, path: str
) -> None:
    bomb = gzip.compress(b" " * 50_000_000 + ONE)
    assert len(bomb) < 50_000
    bombs = [bomb, gzip.compress(ONE + b" " * 9_000) * 30]
    for body in bombs:
        answer = await posted(world, path, body[:200_000])
        assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert await world.records() == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(ONE, mtime=0)[:-9],
        gzip.compress(ONE, mtime=0)[:20] + b"\x00" * 40,
        gzip.compress(ONE, mtime=0) + b"trailing",
        b"\x1f\x8b",
        zlib.compress(ONE)[:-1],
        b"\xff\x00\x01",
    ],
    ids=["cut", "zeroed", "trailing", "magic", "deflate-cut", "noise"],
)
@pytest.mark.parametrize("label", ["gzip", ""])
async def test_a_damaged_body_is_refused_whole(
    world: Ingesting, path: str, body: bytes, label: str
) -> None:
    answer = await posted(world, path, body, content_encoding=label)
    assert (answer.status, answer.json["code"]) == (400, "malformed")
    assert await world.records() == []


async def test_a_raw_deflate_is_refused_whole(world: Ingesting) -> None:
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(LINES) + packer.flush()
    answer = await posted(world, "/api/events", body, content_encoding="deflate")
    assert (answer.status, answer.json["code"]) == (400, "malformed")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("label", ["gzip, gzip", "gzip"])
async def test_a_body_that_was_packed_twice_is_told_so(
    world: Ingesting, path: str, label: str
) -> None:
    twice = gzip.compress(gzip.compress(ONE))
    answer = await posted(world, path, twice, content_encoding=label)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_coding")
    assert "packed twice" in answer.json["error"]
    assert await world.records() == []
