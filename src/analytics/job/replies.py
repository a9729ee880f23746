"""What the job replies to a replica that asks over HTTP."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple

from analytics import access, problem
from analytics.errors import AnalyticsError, Forbidden, StoreUnavailable, TooLarge
from analytics.query import Result
from analytics.store import question
from analytics.store.question import Question

MAX_QUESTION_BYTES: Final = 1 << 18
_AT_ONCE: Final = 2
"""Questions that are answered at the same time; more would only slow each other down."""
_WAITS_S: Final = 60.0
"""How long one more waits for its turn."""


class Reply(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    kind: str


class Asked(NamedTuple):
    """An HTTP request."""

    peer: str
    """The address it came from."""
    authorization: str
    """Its `Authorization` header."""
    body: bytes


class Replies:
    """Answers whoever may ask. For any thread."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._answer: Callable[[Question], Result] | None = None
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def begin(self, answer: Callable[[Question], Result]) -> None:
        """From now on there is somebody who can answer."""
        self._answer = answer

    def __call__(self, asked: Asked) -> Reply:
        """The answer, or why there is none."""
        try:
            self._check(asked)
            return Reply(HTTPStatus.OK, self._answered(asked.body), "application/msgpack")
        except AnalyticsError as exc:
            return refusal(exc)

    def _check(self, asked: Asked) -> None:
        if len(asked.body) > MAX_QUESTION_BYTES:
            raise TooLarge(f"a question has at most {MAX_QUESTION_BYTES} bytes")
        if not self._secret:
            if not ip_address(asked.peer.partition("%")[0]).is_loopback:
                raise Forbidden(
                    "without spark.secret the job answers only this machine; set it for the job"
                    " and for the replicas"
                )
            return
        secret = access.bearer(asked.authorization) or ""
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise Forbidden("spark.secret is not the same here and there")

    def _answered(self, body: bytes) -> bytes:
        asked = question.question(body)
        if self._answer is None:
            raise StoreUnavailable("the Spark job is starting")
        if not self._room.acquire(timeout=_WAITS_S):
            raise StoreUnavailable("the Spark job has many questions to answer; ask again later")
        try:
            return question.encode(self._answer(asked))
        finally:
            self._room.release()


def refusal(exc: AnalyticsError) -> Reply:
    """How an error is told."""
    return Reply(exc.status, problem.encode(exc), problem.MEDIA_TYPE)
