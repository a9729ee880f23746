"""What the tests of a replica share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.cluster import traffic
from tests.store.replica.world import (
    Clock,
    Cluster,
    Shared,
    replica_in,
)

from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.store import ReplicaStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def cluster(tmp_path: Path, shared: Shared) -> Cluster:
    return Cluster(tmp_path, shared)


@pytest.fixture
async def replica(tmp_path: Path, shared: Shared, clock: Clock) -> AsyncIterator[ReplicaStore]:
    async with replica_in(tmp_path / "replica", shared, clock) as replica:
        yield replica


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(
        tmp_path / "embedded.duckdb", timezones=lambda: traffic.SITES, rebuild_at_most_every_ms=0
    ) as store:
        yield store
