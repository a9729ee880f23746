"""The nodes that the driver is given, which is looked at without a connection."""

from __future__ import annotations

from contextlib import closing

import pytest

from analytics.settings import CassandraSettings
from analytics.store.chunks import cql


class Driver:
    """A driver that is shut down at the block's end."""

    def __init__(self, settings: CassandraSettings) -> None:
        self.cluster = cql.cluster(settings)

    def close(self) -> None:
        self.cluster.shutdown()


@pytest.mark.parametrize(
    ("addresses", "nodes"),
    [
        (("[::1]:9043",), [("::1", 9043)]),
        (("127.0.0.1:9042", "127.0.0.2:9142"), [("127.0.0.1", 9042), ("127.0.0.2", 9142)]),
    ],
)
def test_each_node_is_asked_at_its_own_address(
    addresses: tuple[str, ...], nodes: list[tuple[str, int]]
) -> None:
    with closing(Driver(CassandraSettings(addresses=addresses))) as driver:
        points = driver.cluster.endpoints_resolved
        assert [(point.address, point.port) for point in points] == nodes
