"""The driver, with what it lacks: TLS that looks at names, caches it knows, no socket left."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyignite import Client
from pyignite.connection import Connection
from pyignite.exceptions import ReconnectError, connection_errors


class Driver(Client):  # type: ignore[misc]
    """A client that speaks TLS by *context*; without one, in the clear."""

    def __init__(self, context: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        self.context = context
        self._caches: dict[tuple[str, int | None], Any] = {}

    def kept_cache(self, name: str, ttl_ms: int | None = None) -> Any:
        """The cache of that *name*, whose entries are forgotten after *ttl_ms* if they are.

        The same object for every call: with a new one, the driver asks again which node has which
        of all parts of the cache, and to read that answer takes it ten times as long as to put
        a chunk.
        """
        found = self._caches.get((name, ttl_ms))
        if found is None:
            found = self.get_cache(name)
            if ttl_ms is not None:
                found = found.with_expire_policy(create=ttl_ms, update=ttl_ms)
            self._caches[name, ttl_ms] = found
        return found

    def _connect(self, nodes: Sequence[tuple[str, int]]) -> None:
        """Connect to the first node that is there, and note the others for when it is gone.

        Raises what the last one did when none is there.
        """
        fault: Exception = ReconnectError("no node is named")
        for number, (host, port) in enumerate(nodes):
            node = _Node(self, host, port, **self._connection_args)
            if self.protocol_context is None:
                try:
                    node.connect()
                    self._current_node = number
                except connection_errors as exc:
                    fault = exc
                    node.drop()
            self._nodes.append(node)
        if self.protocol_context is None:
            raise fault


class _Node(Connection):  # type: ignore[misc]
    """A connection to a node, which wraps each socket that the driver opens for it."""

    _channel: socket.socket | None = None

    @property
    def _socket(self) -> socket.socket | None:
        return self._channel

    @_socket.setter
    def _socket(self, opened: socket.socket | None) -> None:
        context = self.client.context
        before = self._channel
        if context is not None and type(opened) is socket.socket:
            opened = context.wrap_socket(opened, server_hostname=self.host)
        self._channel = opened
        if before is not None and before is not opened:
            # The driver closes only what it could shut down, which a broken one can't be.
            with suppress(OSError):
                before.close()

    def drop(self) -> None:
        """Let go what came to nothing."""
        self._socket = None
