"""Checks and answers the queries that replicas send over HTTP."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from analytics import access
from analytics.errors import Forbidden, StoreUnavailable
from analytics.exploration import ExplorationResult
from analytics.query import Result
from analytics.store.replica import remote_query
from analytics.store.replica.remote_query import RemoteQuery

MAX_QUERY_BYTES: Final = 1 << 23
_AT_ONCE: Final = 2
"""Concurrent queries; more would only slow each other down."""
_WAITS_S: Final = 60.0
"""How long another query waits for its turn."""


class QueryEndpoint:
    """Answers replicas' queries, for those that know *secret*. Thread-safe."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._answer: Callable[[RemoteQuery], Result | ExplorationResult] | None = None
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def begin(self, answer: Callable[[RemoteQuery], Result | ExplorationResult]) -> None:
        """Answer queries with *answer* from now on; until then they are refused."""
        self._answer = answer

    def check(self, peer: str, authorization: str, *, direct: bool = True) -> None:
        """Raise `Forbidden` unless the sender may send queries.

        *peer* is its IP address, *authorization* the value of its `Authorization` header, and
        *direct* says that no proxy passed the query on.
        """
        if not self._secret:
            if not (direct and ip_address(peer.partition("%")[0]).is_loopback):
                raise Forbidden(
                    "without spark.secret the job answers only this machine, and no proxy; set it"
                    " for the job and for the replicas"
                )
            return
        secret = access.bearer(authorization) or ""
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise Forbidden("spark.secret of the job and of the replica differ")

    def answer(self, body: bytes) -> bytes:
        """Return the encoded answer to the encoded `RemoteQuery` in *body*.

        Raises `Malformed` for an invalid query, `StoreUnavailable` if it cannot be answered now,
        and `QueryTooLong` if it takes too long.
        """
        query = remote_query.question(body)
        if self._answer is None:
            raise StoreUnavailable("the Spark job is starting")
        if not self._slots.acquire(timeout=_WAITS_S):
            raise StoreUnavailable("the Spark job has too many queries to answer; try again later")
        try:
            return remote_query.encode(self._answer(query))
        finally:
            self._slots.release()
