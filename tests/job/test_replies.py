"""Who may ask the job, and what is replied, over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from pydantic import SecretStr
from tests.store.rows import NOON, SITE

from analytics.errors import AnalyticsError, Malformed, QueryTooLong, StoreUnavailable
from analytics.job.replies import MAX_QUESTION_BYTES, Asked, Replies
from analytics.job.status import Figures, told
from analytics.query import Metric, Period, Query, Result, ResultRow
from analytics.settings import Spark
from analytics.store.question import Question, encode
from analytics.store.replica.history import PATH, SparkHistory

QUESTION = Question(
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
def replies() -> Replies:
    return Replies("secret")


@pytest.fixture
def port(replies: Replies) -> Iterator[int]:
    with told("127.0.0.1", 0, Figures(), fault=lambda: None, alarms={}, replies=replies) as port:
        yield port


def history_at(port: int, secret: str = "secret") -> SparkHistory:
    return SparkHistory(
        Spark(address=f"127.0.0.1:{port}", secret=SecretStr(secret), question_timeout_s=9)
    )


async def test_a_question_and_its_answer_travel_unchanged(replies: Replies, port: int) -> None:
    asked = []

    def answer(question: Question) -> Result:
        asked.append(question)
        return ANSWER

    history = history_at(port)
    with pytest.raises(StoreUnavailable, match="is starting"):
        await history.ask(QUESTION)
    replies.begin(answer)
    assert await history.ask(QUESTION) == ANSWER
    assert asked == [QUESTION]


@pytest.mark.parametrize(
    "error",
    [Malformed("filters", "no"), QueryTooLong("too long"), StoreUnavailable("away")],
)
async def test_an_error_comes_back_as_what_it_was(
    replies: Replies, port: int, error: AnalyticsError
) -> None:
    def answer(_: Question) -> Result:
        raise error

    replies.begin(answer)
    with pytest.raises(type(error)) as raised:
        await history_at(port).ask(QUESTION)
    assert (type(raised.value), str(raised.value)) == (type(error), str(error))


async def test_who_does_not_know_the_secret_is_told_nothing(replies: Replies, port: int) -> None:
    replies.begin(lambda _: ANSWER)
    for secret in ("", "wrong"):
        with pytest.raises(StoreUnavailable, match="is not the same here and there"):
            await history_at(port, secret).ask(QUESTION)


def test_without_a_secret_only_this_machine_is_answered() -> None:
    replies = Replies("")
    replies.begin(lambda _: ANSWER)
    body = encode(QUESTION)
    statuses = [replies(Asked(peer, "", body)).status for peer in ("127.0.0.1", "::1", "10.0.0.7")]
    assert statuses == [200, 200, 403]


def test_what_is_no_question_is_refused(replies: Replies, port: int) -> None:
    replies.begin(lambda _: ANSWER)
    for path, body, status in (
        (PATH, b"\xc1", 400),
        (PATH, bytes(MAX_QUESTION_BYTES + 1), 413),
        ("/metrics", b"", 404),
    ):
        connection = HTTPConnection("127.0.0.1", port, timeout=9)
        connection.request("POST", path, body, {"authorization": "Bearer secret"})
        assert connection.getresponse().status == status
        connection.close()


async def test_nobody_there_is_said(unused_port: int) -> None:
    with pytest.raises(StoreUnavailable, match="nobody answers"):
        await history_at(unused_port).ask(QUESTION)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
