"""Whoever wants something of a server that is away learns it at once, from the first who tried."""

from __future__ import annotations

import pytest

from analytics.breaker import Outcome, State
from analytics.errors import CircuitOpen, StoreUnavailable
from analytics.settings import Cassandra, Ignite
from analytics.store import guards
from analytics.store.cassandra import KeptChunks
from analytics.store.ignite.chunks import ChunkStore
from analytics.store.ignite.documents import SharedDocument

NOBODY = ("127.0.0.1:1",)


def test_all_connections_to_ignite_share_what_one_of_them_found_out() -> None:
    settings = Ignite(addresses=NOBODY, retry_after_s=60)
    guard = guards.ignite(settings)
    chunks, catalog = (ChunkStore(settings, guard), SharedDocument(settings, "catalog", guard))
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="Ignite does not answer"):
            chunks.partitions()
    assert guard.breaker.state is State.OPEN
    with pytest.raises(CircuitOpen, match=r"ignite is left alone.*Ignite does not answer"):
        catalog.load()
    assert guard.breaker.outcomes == {Outcome.FAILED: 3, Outcome.REFUSED: 1}


def test_cassandra_is_left_alone_too() -> None:
    settings = Cassandra(addresses=NOBODY, retry_after_s=60)
    kept = KeptChunks(settings)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"Cassandra at .* does not answer"):
            kept.rows(["one"])
    with pytest.raises(CircuitOpen, match="cassandra is left alone"):
        kept.heads()
