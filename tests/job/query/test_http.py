"""Who may ask the job, and what is replied, over real HTTP."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from pydantic import SecretStr

from analytics.errors import AnalyticsError, Forbidden, Malformed, QueryTooLong, StoreUnavailable
from analytics.job.http_server import serving
from analytics.job.metrics import JobMetrics
from analytics.job.query.http import MAX_QUERY_BYTES, QueryEndpoint
from analytics.query import Metric, Period, Query, Result, ResultRow
from analytics.settings import SparkSettings
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.replica.remote_query_client import PATH, RemoteQueryClient
from analytics.testing.builders import NOON, SITE

QUESTION = RemoteQuery(
    query=Query(site=SITE, metrics=(Metric.EVENTS,), period=Period(NOON, NOON + 1, "Etc/UTC")),
    ends={0: 7, 3: 9},
    kept_since=5,
)
ANSWER = Result(
    rows=(ResultRow(("/", "2026-11-24"), (3, 2.0, "1.500 EUR", None)),),
    total_rows=1,
    visitor_days=True,
)


@pytest.fixture
def endpoint() -> QueryEndpoint:
    return QueryEndpoint("secret")


@pytest.fixture
def port(endpoint: QueryEndpoint) -> Iterator[int]:
    with serving(
        "127.0.0.1", 0, JobMetrics(), fault=lambda: None, alarms={}, endpoint=endpoint
    ) as port:
        yield port


def history_at(port: int, secret: str = "secret") -> RemoteQueryClient:
    return RemoteQueryClient(
        SparkSettings(address=f"127.0.0.1:{port}", secret=SecretStr(secret), question_timeout_s=9)
    )


async def test_a_question_and_its_answer_travel_unchanged(
    endpoint: QueryEndpoint, port: int
) -> None:
    asked = []

    def answer(question: RemoteQuery) -> Result:
        asked.append(question)
        return ANSWER

    history = history_at(port)
    with pytest.raises(StoreUnavailable, match="is starting"):
        await history.ask(QUESTION)
    endpoint.begin(answer)
    assert await history.ask(QUESTION) == ANSWER
    assert asked == [QUESTION]


@pytest.mark.parametrize(
    "error",
    [Malformed("filters", "no"), QueryTooLong("too long"), StoreUnavailable("away")],
)
async def test_an_error_comes_back_as_what_it_was(
    endpoint: QueryEndpoint, port: int, error: AnalyticsError
) -> None:
    def answer(_: RemoteQuery) -> Result:
        raise error

    endpoint.begin(answer)
    with pytest.raises(type(error)) as raised:
        await history_at(port).ask(QUESTION)
    assert (type(raised.value), str(raised.value)) == (type(error), str(error))


async def test_who_does_not_know_the_secret_is_told_nothing(
    endpoint: QueryEndpoint, port: int
) -> None:
    endpoint.begin(lambda _: ANSWER)
    for secret in ("", "wrong"):
        with pytest.raises(StoreUnavailable, match="of the job and of the replica differ"):
            await history_at(port, secret).ask(QUESTION)


def test_without_a_secret_only_this_machine_is_answered() -> None:
    endpoint = QueryEndpoint("")
    endpoint.begin(lambda _: ANSWER)
    for peer in ("127.0.0.1", "::1"):
        endpoint.check(peer, "")
    for peer in ("10.0.0.7", "fe80::1%eth0"):
        with pytest.raises(Forbidden, match="set it for the job"):
            endpoint.check(peer, "")


async def test_without_a_secret_no_proxy_on_this_machine_is_answered() -> None:
    endpoint = QueryEndpoint("")
    endpoint.begin(lambda _: ANSWER)
    with serving(
        "127.0.0.1", 0, JobMetrics(), fault=lambda: None, alarms={}, endpoint=endpoint
    ) as port:
        assert await history_at(port, "").ask(QUESTION) == ANSWER
        for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "job.example.org"}):
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("POST", PATH, body=b"", headers=headers)
            assert connection.getresponse().status == 403
            connection.close()


def test_what_is_no_question_is_refused(endpoint: QueryEndpoint, port: int) -> None:
    endpoint.begin(lambda _: ANSWER)
    for path, body, status in (
        (PATH, b"\xc1", 400),
        (PATH, bytes(MAX_QUERY_BYTES + 1), 413),
        ("/metrics", b"", 405),
        ("/nothing", b"", 404),
    ):
        connection = HTTPConnection("127.0.0.1", port, timeout=9)
        connection.request("POST", path, body, {"authorization": "Bearer secret"})
        assert connection.getresponse().status == status
        connection.close()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def connected(port: int, head: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=9)
    connection.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: job\r\n" + head)
    return connection


def test_a_stranger_is_refused_before_his_body_is_read(endpoint: QueryEndpoint, port: int) -> None:
    endpoint.begin(lambda _: ANSWER)
    for head in (
        b"content-length: 209715200\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n",
        b"authorization: Bearer wrong\r\ncontent-length: 209715200\r\n\r\n",
    ):
        with connected(port, head) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("length", [b"-1", b"+1", b"9" * 5000, b"0x10", b"\xb2", b"1, 2", b""])
def test_a_length_that_is_none_is_refused(
    endpoint: QueryEndpoint, port: int, length: bytes
) -> None:
    endpoint.begin(lambda _: ANSWER)
    head = b"authorization: Bearer secret\r\ncontent-length: " + length + b"\r\n\r\n"
    with connected(port, head) as connection:
        assert connection.recv(100).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))


def test_what_a_stranger_sends_fills_no_memory(endpoint: QueryEndpoint, port: int) -> None:
    endpoint.begin(lambda _: ANSWER)
    piece, sent, before = bytes(1 << 20), 0, resident_bytes()
    for head in (b"", b"authorization: Bearer secret\r\n"):
        with connected(port, head + b"content-length: 209715200\r\n\r\n") as connection:
            with suppress(ConnectionError):
                for _ in range(200):
                    connection.sendall(piece)
                    sent += len(piece)
            with suppress(ConnectionError):
                assert connection.recv(100).startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 413 "))
    assert sent > 0
    assert resident_bytes() - before < 64 << 20


def test_the_job_is_answered_for_while_strangers_hold_connections(
    endpoint: QueryEndpoint, port: int
) -> None:
    endpoint.begin(lambda _: ANSWER)
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connected(port, b"content-length: 9\r\n"))
        connection = HTTPConnection("127.0.0.1", port, timeout=9)
        connection.request("GET", "/health/ready")
        assert connection.getresponse().status == 200
        connection.close()


async def test_a_stop_gives_up_a_question_under_way_and_holds_up_nobody(
    endpoint: QueryEndpoint, port: int
) -> None:
    begun, answered = threading.Event(), threading.Event()

    def answer(_: RemoteQuery) -> Result:
        begun.set()
        answered.wait()
        return ANSWER

    endpoint.begin(answer)
    history = history_at(port)
    asking = [asyncio.create_task(history.ask(QUESTION)) for _ in range(3)]
    try:
        await asyncio.to_thread(begun.wait)
        turns = 0

        async def others() -> None:
            nonlocal turns
            while not all(each.done() for each in asking):
                turns += 1
                await asyncio.sleep(0.001)

        async with asyncio.timeout(20):
            await asyncio.gather(history.close(), others())
        for each in asking:
            with pytest.raises(StoreUnavailable):
                await each
        assert turns > 0
        with pytest.raises(StoreUnavailable):
            await history.ask(QUESTION)
    finally:
        answered.set()


async def test_nobody_there_is_said(unused_port: int) -> None:
    with pytest.raises(StoreUnavailable, match="nobody answers"):
        await history_at(unused_port).ask(QUESTION)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "127.0.0.1"}, 404),
        ({"Via": "1.1 proxy"}, 404),
        ({"Host": "job.example.org"}, 404),
    ],
)
def test_the_jobs_metrics_are_for_who_asks_directly(
    port: int, headers: dict[str, str], status: int
) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    assert answer.status == status
    assert (b"analytics_job_records" in answer.read()) is (status == 200)
    connection.close()
