"""An offer of another protocol is ignored, and the request that makes it is answered."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from tests.gateway.ways import GOOD, Answers, post

OFFER = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
WAYS = ("bounded", "direct")


async def output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


@pytest.mark.client
@pytest.mark.parametrize("way", WAYS)
async def test_javas_client_by_its_defaults_is_heard(answers: Answers, way: str) -> None:
    source = str(Path(__file__).with_name("UpgradingClient.java"))
    said = await output("java", source, f"{answers.url(way)}/api/event", GOOD.decode())
    assert said.splitlines() == ["HTTP_1_1 202 ok"] * 2


@pytest.mark.client
@pytest.mark.parametrize("way", WAYS)
async def test_curl_that_would_rather_speak_http_2_is_heard(answers: Answers, way: str) -> None:
    address = f"{answers.url(way)}/api/event"
    options = ("--silent", "--http2", "--write-out", " %{http_version} %{http_code}")
    assert await output("curl", *options, "--data", GOOD.decode(), address) == "ok 1.1 202"
    large = GOOD[:-1].decode() + ',"t":"' + "x" * 9_000 + '"}'
    assert await output("curl", *options, "--data", large, address) == "ok 1.1 202"


@pytest.mark.parametrize("way", WAYS)
async def test_requests_with_and_without_an_offer_are_answered_in_order(
    answers: Answers, way: str
) -> None:
    websocket = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket")
    raw = post(GOOD) + post(GOOD, *OFFER) + post(b"{", *websocket) + post(GOOD, *OFFER)
    answer = await answers.of(way, raw, count=4)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"202", b"202", b"400", b"202"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_offer_in_pieces_and_in_chunks_is_ignored_too(answers: Answers, way: str) -> None:
    whole = post(GOOD, *OFFER)
    chunked = whole.replace(b"Content-Length: %d" % len(GOOD), b"Transfer-Encoding: chunked")
    chunked = chunked.replace(GOOD, b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD))
    for raw in (whole, chunked):
        reader, writer = await asyncio.open_connection("127.0.0.1", answers.ports[way])
        for i in range(0, len(raw), 7):
            writer.write(raw[i : i + 7])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).split()[1] == b"202"
        writer.close()


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_is_to_close_closes(answers: Answers, way: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", answers.ports[way])
    writer.write(post(GOOD, b"Connection: close, Upgrade", b"Upgrade: h2c"))
    answer = await asyncio.wait_for(reader.read(), 30)
    assert answer.startswith(b"HTTP/1.1 202")
    assert b"connection: close" in answer
    writer.close()


@pytest.mark.parametrize("way", WAYS)
async def test_who_asks_for_a_tunnel_is_refused(answers: Answers, way: str) -> None:
    raw = b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n"
    assert (await answers.of(way, raw)).startswith(b"HTTP/1.1 400")
