"""The short way for events answers as the ASGI endpoint does, byte for byte."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.gateway.ways import GOOD, NOW, Answers, post


def same(one: bytes, other: bytes) -> None:
    """Equal but for the order of the headers and for the record's place in the log."""
    assert normal(one) == normal(other)


def normal(answer: bytes) -> list[object]:
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        places = [re.sub(rb"\b0-\d+", b"0-N", header) for header in headers]
        found.append((status, sorted(places), rest[:length]))
        answer = rest[length:]
    return found


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        GOOD.replace(b"example.com/a", b"example.com/" + b"x" * 3000),
        GOOD.replace(b'"d":"example.com"', b'"d":"nobody.example"'),
        GOOD.replace(b'"d":"example.com"', b'"d":"example.com,nobody.example"'),
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"n":1}',
        b"\xff\xfe",
        b'{"n":"pageview","u":"data:text/html,x","d":"example.com"}',
        b"[" * 9_000,
        b"x" * 20_000,
        GOOD[:-1] + b',"ts":1}',
        GOOD[:-1] + b',"ts":1e300}',
        GOOD[:-1] + b',"id":"no"}',
        GOOD[:-1] + b',"ip":"1.2.3.4"}',
    ],
)
async def test_both_ways_answer_alike(answers: Answers, body: bytes) -> None:
    one, other = await answers.both(post(body))
    same(one, other)
    assert int(one.split()[1]) in (202, 400, 403, 413)


async def test_headers_count_on_both_ways(answers: Answers) -> None:
    same(*await answers.both(post(GOOD, b"Authorization: Bearer nonsense")))
    same(*await answers.both(post(GOOD, b"Connection: close")))
    same(*await answers.both(post(GOOD, b"X-Forwarded-For: 203.0.113.9, 127.0.0.1")))


async def test_a_request_without_a_sane_id_gets_one_on_both_ways(answers: Answers) -> None:
    for body in (GOOD, b"{"):
        for answer in await answers.both(post(body, number=b"no id")):
            assert re.search(rb"\r\nx-request-id: [0-9a-f]{8}-[0-9a-f]+\r\n", answer)
            if body != GOOD:
                assert re.search(rb'"request_id":"[0-9a-f]{8}-[0-9a-f]+"', answer)


async def test_a_rate_limit_holds_on_both_ways(answers: Answers) -> None:
    for way in ("uvicorn", "direct"):
        address = b"X-Forwarded-For: 203.0.113.%d" % len(way)
        statuses = [(await answers.of(way, post(GOOD, address))).split()[1] for _ in range(9)]
        assert statuses[0] == b"202"
        assert statuses[-1] == b"429"


async def test_pipelined_requests_are_answered_in_order(answers: Answers) -> None:
    raw = post(GOOD) + b"GET /api/whoami HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"{") + post(GOOD)
    one, other = await answers.both(raw, count=4)
    assert re.findall(rb"HTTP/1.1 (\d+)", one) == re.findall(rb"HTTP/1.1 (\d+)", other)
    assert re.findall(rb"HTTP/1.1 (\d+)", other) == [b"202", b"200", b"400", b"202"]


async def test_a_body_in_pieces_is_put_together(answers: Answers) -> None:
    raw = post(GOOD)
    reader, writer = await asyncio.open_connection("127.0.0.1", answers.ports["direct"])
    for i in range(0, len(raw), 7):
        writer.write(raw[i : i + 7])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.readline()).split()[1] == b"202"
    writer.close()


async def test_an_old_client_gets_its_answer_and_the_end(answers: Answers) -> None:
    raw = post(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0")
    for way in ("uvicorn", "direct"):
        assert b"202" in (await answers.of(way, raw)).split(b"\r\n")[0]


async def test_who_expects_a_continue_gets_one(answers: Answers) -> None:
    one, other = await answers.both(post(GOOD, b"Expect: 100-continue"), count=2)
    assert one.startswith(b"HTTP/1.1 100 Continue")
    assert other.startswith(b"HTTP/1.1 100 Continue")


async def test_a_client_that_goes_away_harms_nobody(answers: Answers) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", answers.ports["direct"])
    writer.write(post(GOOD))
    writer.transport.abort()
    assert (await answers.of("direct", post(GOOD))).startswith(b"HTTP/1.1 202")


async def test_a_day_whose_salt_can_be_made_or_not_is_answered_alike(answers: Answers) -> None:
    one, other = await answers.both(post(GOOD))  # the first event makes the salt
    assert one.startswith(b"HTTP/1.1 202")
    same(one, other)
    await answers.catalog.salts.make([], today=NOW // 86_400_000 + 9)  # which drops it
    answers.salts.rmdir()
    answers.salts.write_text("")  # and now no other can be kept
    one, other = await answers.both(post(GOOD))
    assert one.startswith(b"HTTP/1.1 503")
    same(one, other)
