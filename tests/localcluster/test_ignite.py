"""Whether a node of Ignite can serve, asked while it begins."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.sockets import open_sockets

from analytics.localcluster.ignite import IgniteNode
from analytics.localcluster.plan import HOST, ClusterPlan
from analytics.settings import CassandraSettings


@pytest.fixture
def hanging_up() -> Iterator[int]:
    """The port of a node that breaks every connection off, as one does that begins or dies.

    Not a real one, as that does so for a moment only.
    """
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the server is shut down
                while True:
                    channel, _ = server.accept()
                    with channel:
                        if channel.recv(1024):
                            # Lingering for no time resets the connection.
                            reset = struct.pack("ii", 1, 0)
                            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


async def test_no_connection_stays_open_when_a_node_hangs_up(
    hanging_up: int, tmp_path: Path
) -> None:
    base = hanging_up - ClusterPlan(base=0).ignite(1)
    node = IgniteNode(
        ClusterPlan(base=base),
        1,
        tmp_path,
        java=tmp_path,
        jars=tmp_path,
        heap=1 << 20,
        memory=1 << 20,
        cassandra=CassandraSettings(),
    )
    before = open_sockets()
    gc.disable()  # which would close what nobody closes
    try:
        assert "it does not answer" in str(await node.fault())
        assert open_sockets() <= before
    finally:
        gc.enable()
