"""Sends queries about evicted rows to the cluster's Spark job, over HTTP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final, Protocol

import msgspec

from analytics import problem
from analytics.errors import UNDECODABLE, AnalyticsError, Malformed, StoreUnavailable
from analytics.exploration import ExplorationResult
from analytics.guard import Guard
from analytics.problem import Problem
from analytics.query import Result
from analytics.settings import SparkSettings
from analytics.store import guards
from analytics.store.query_queue import QueryQueue
from analytics.store.replica import remote_query
from analytics.store.replica.remote_query import RemoteQuery

PATH: Final = "/questions"
_MAX_REPLY_BYTES: Final = 64 << 20
_AT_ONCE: Final = 8
_GRACE_S: Final = 5.0
"""Added to the job's time limit, so that the job's own error arrives first."""
_CONNECT_S: Final = 5.0


class RemoteQueries(Protocol):
    """Answers queries from all rows, evicted ones included."""

    async def ask(self, query: RemoteQuery) -> Result:
        """Return the answer.

        Raises `StoreUnavailable` if there is none now, and `Malformed` for an invalid query.
        """

    async def explore(self, query: RemoteQuery) -> ExplorationResult:
        """Return the answer to an exploration; raises as `ask` does."""

    async def close(self) -> None:
        """Cancel the queries under way."""


class RemoteQueryClient:
    """`RemoteQueries` that a cluster's Spark job answers, at *address* (host:port)."""

    def __init__(
        self, settings: SparkSettings, guard: Guard | None = None, *, queue_timeout_s: float = 20
    ) -> None:
        self._address = settings.address
        self._guard = guard or guards.spark(settings)
        self._queue = QueryQueue("history", _AT_ONCE, patience_s=queue_timeout_s)
        self._headers = {"content-type": "application/msgpack"}
        if secret := settings.secret.get_secret_value():
            self._headers["authorization"] = f"Bearer {secret}"
        self._timeout_s = settings.question_timeout_s + _GRACE_S
        self._connections: set[HTTPConnection] = set()
        """The connections of queries under way."""
        self._closed = False

    async def ask(self, query: RemoteQuery) -> Result:
        """Return the answer.

        Raises `StoreUnavailable` if there is none now, and `Malformed` for an invalid query.
        """
        return remote_query.result(await self._reply(query))

    async def explore(self, query: RemoteQuery) -> ExplorationResult:
        """Return the answer to an exploration; raises as `ask` does."""
        try:
            return remote_query.exploration_result(await self._reply(query))
        except Malformed as exc:  # this replica has checked the question
            raise StoreUnavailable(
                f"the Spark job is of a version that knows no such question; update it ({exc})"
            ) from exc

    async def close(self) -> None:
        """Cancel the queries under way: waiting for them would delay a stop for too long."""
        self._closed = True
        for connection in [*self._connections]:
            with suppress(AttributeError, OSError):  # it is not connected yet, or not any more
                connection.sock.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(self._queue.close)

    async def _reply(self, query: RemoteQuery) -> bytes:
        return await self._queue.run(partial(self._ask, remote_query.encode(query)))

    def _ask(self, body: bytes) -> bytes:
        with self._guard.call():
            status, reply = self._exchanged(body)
        if status != HTTPStatus.OK:
            raise _refused(reply)
        return reply

    def _connect(self, connection: HTTPConnection) -> None:
        connection.connect()
        connection.sock.settimeout(self._timeout_s)
        if self._closed:  # while connecting
            raise StoreUnavailable("this server is stopping")

    def _exchanged(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self._address, timeout=_CONNECT_S)
        self._connections.add(connection)
        try:
            self._connect(connection)
            connection.request("POST", PATH, body, self._headers)
            response = connection.getresponse()
            reply = response.read(_MAX_REPLY_BYTES + 1)
        except (OSError, HTTPException) as exc:
            raise StoreUnavailable(f"at {self._address} nobody answers: {exc!r}") from exc
        finally:
            self._connections.discard(connection)
            connection.close()
        if len(reply) > _MAX_REPLY_BYTES:
            raise StoreUnavailable("the answer is too large; ask for fewer rows, with a limit")
        return response.status, reply


def _refused(reply: bytes) -> AnalyticsError:
    """Return the error that the job reports.

    Anything but `Malformed` and `StoreUnavailable` is a problem between the job and this replica,
    not with the query, and becomes `StoreUnavailable`.
    """
    try:
        error = problem.restore(msgspec.json.decode(reply, type=Problem))
    except UNDECODABLE:
        return StoreUnavailable("what answers there is not our Spark job")
    if isinstance(error, Malformed | StoreUnavailable):
        return error
    return StoreUnavailable(str(error))


_: type[RemoteQueries] = RemoteQueryClient
