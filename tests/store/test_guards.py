"""Whoever wants something of a server that is away learns it at once, from the first who tried."""

from __future__ import annotations

import pytest

from analytics.breaker import BreakerState, CallOutcome
from analytics.errors import CircuitOpen, StoreUnavailable
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store import guards
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.ignite.documents import SharedDocument

NOBODY = ("127.0.0.1:1",)


def test_all_connections_to_ignite_share_what_one_of_them_found_out() -> None:
    settings = IgniteSettings(addresses=NOBODY, retry_after_s=60)
    guard = guards.ignite(settings)
    chunks, catalog = (IgniteChunks(settings, guard), SharedDocument(settings, "catalog", guard))
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="Ignite does not answer"):
            chunks.partitions()
    assert guard.breaker.state is BreakerState.OPEN
    with pytest.raises(CircuitOpen, match=r"ignite is left alone.*Ignite does not answer"):
        catalog.load()
    assert guard.breaker.outcomes == {CallOutcome.FAILED: 3, CallOutcome.REFUSED: 1}


def test_cassandra_is_left_alone_too() -> None:
    settings = CassandraSettings(addresses=NOBODY, retry_after_s=60)
    kept = CassandraChunks(settings)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"Cassandra at .* does not answer"):
            kept.rows(["one"])
    with pytest.raises(CircuitOpen, match="cassandra is left alone"):
        kept.heads()
