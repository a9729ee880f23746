"""Extends the driver by TLS with host names, a deadline for calls, and reused cache objects."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyignite import Client
from pyignite.connection import Connection
from pyignite.exceptions import ReconnectError, connection_errors

from analytics.store.ignite.deadline import BoundedSocket, Deadline


class Driver(Client):  # type: ignore[misc]
    """A client that uses TLS if it has a *context*; calls end after *timeout_s* without data."""

    def __init__(self, context: ssl.SSLContext | None, timeout_s: float, **options: Any) -> None:
        super().__init__(**options)
        self.context = context
        self.deadline = Deadline(timeout_s)
        """Of the current call; the driver's own time-outs apply to each operation separately."""
        self._caches: dict[tuple[str, int | None], Any] = {}

    def kept_cache(self, name: str, ttl_ms: int | None = None) -> Any:
        """Return the cache with this *name*, whose new entries expire after *ttl_ms* if given.

        The object is reused: for a new one the driver requests the partition map again, and parsing
        that takes ten times as long as storing a chunk.
        """
        cache = self._caches.get((name, ttl_ms))
        if cache is None:
            cache = self.get_cache(name)
            if ttl_ms is not None:
                cache = cache.with_expire_policy(create=ttl_ms, update=ttl_ms)
            self._caches[name, ttl_ms] = cache
        return cache

    def _connect(self, nodes: Sequence[tuple[str, int]]) -> None:
        """Connect to the first node that answers, and keep the others for failover.

        If none answers, raises the error of the last one.
        """
        fault: Exception = ReconnectError("no node is named")
        for number, (host, port) in enumerate(nodes):
            node = _Node(self, host, port, **self._connection_args)
            if self.protocol_context is None:
                try:
                    node.connect_by(self.deadline.share(len(nodes) - number))
                    self._current_node = number
                except connection_errors as exc:
                    fault = exc
                    node.drop()
            self._nodes.append(node)
        if self.protocol_context is None:
            raise fault


class _Node(Connection):  # type: ignore[misc]
    """A connection to a node, which wraps each socket that the driver opens for it."""

    _channel: BoundedSocket | None = None
    _deadline: Deadline | None = None

    @property
    def _socket(self) -> BoundedSocket | None:
        return self._channel

    @_socket.setter
    def _socket(self, opened: socket.socket | BoundedSocket | None) -> None:
        context = self.client.context
        before = self._channel
        if isinstance(opened, socket.socket):
            channel: socket.socket = opened
            if context is not None:
                channel = context.wrap_socket(channel, server_hostname=self.host)
            opened = BoundedSocket(channel, self._deadline or self.client.deadline)
        self._channel = opened
        if before is not None and before is not opened:
            # The driver only closes a socket that it could shut down, which fails for broken ones.
            with suppress(OSError):
                before.close()

    def connect_by(self, deadline: Deadline) -> None:
        """Connect before *deadline*, which is earlier than that of the call."""
        self._deadline = deadline
        try:
            self.connect()
        finally:
            self._deadline = None
        if self._channel is not None:
            self._channel.deadline = self.client.deadline

    def drop(self) -> None:
        """Close a socket whose connection failed."""
        self._socket = None
