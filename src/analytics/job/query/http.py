"""What the job replies to a replica that asks over HTTP."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from analytics import access
from analytics.errors import Forbidden, StoreUnavailable
from analytics.query import Result
from analytics.store.replica import remote_query
from analytics.store.replica.remote_query import RemoteQuery

MAX_QUESTION_BYTES: Final = 1 << 18
_AT_ONCE: Final = 2
"""Questions that are answered at the same time; more would only slow each other down."""
_WAITS_S: Final = 60.0
"""How long one more waits for its turn."""


class QueryEndpoint:
    """Answers whoever may ask. For any thread."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._answer: Callable[[RemoteQuery], Result] | None = None
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def begin(self, answer: Callable[[RemoteQuery], Result]) -> None:
        """From now on there is somebody who can answer."""
        self._answer = answer

    def check(self, peer: str, authorization: str) -> None:
        """Raise `Forbidden` unless the sender at the address *peer*, with this header, may ask."""
        if not self._secret:
            if not ip_address(peer.partition("%")[0]).is_loopback:
                raise Forbidden(
                    "without spark.secret the job answers only this machine; set it for the job"
                    " and for the replicas"
                )
            return
        secret = access.bearer(authorization) or ""
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise Forbidden("spark.secret is not the same here and there")

    def answer(self, body: bytes) -> bytes:
        """Return the answer to the question that *body* is. Raises what its sender is to know."""
        asked = remote_query.question(body)
        if self._answer is None:
            raise StoreUnavailable("the Spark job is starting")
        if not self._room.acquire(timeout=_WAITS_S):
            raise StoreUnavailable("the Spark job has many questions to answer; ask again later")
        try:
            return remote_query.encode(self._answer(asked))
        finally:
            self._room.release()
