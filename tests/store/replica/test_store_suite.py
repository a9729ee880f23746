"""A replica passes the suites of a store: with chunks in this process, and in a real Ignite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.real import PATIENCE_S
from tests.store.job import Job
from tests.store.replica.world import Nobody, Shared

from analytics.event import LogRecord
from analytics.settings import Settings
from analytics.store.chunks.base import ChunkReader
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.store import ReplicaStore
from analytics.testing.contracts import series_store as suite

PARTITIONS = 4
NOW = suite.NOON + suite.DAY


class Taking:
    """A replica, and the job whose chunks it follows."""

    def __init__(self, folder: Path, job: Job, source: Callable[[], ChunkReader]) -> None:
        self._folder = folder
        self._job = job
        self._source = source
        self.store = self._new()

    def _new(self) -> ReplicaStore:
        engine = DuckDBStore(
            self._folder / "store.duckdb",
            timezones=lambda: {suite.SITE: suite.ZONE, suite.OTHER: suite.ZONE},
            goals=lambda: {suite.SITE: suite.GOALS},
            rebuild_at_most_every_ms=0,
        )
        return ReplicaStore(
            self._source(),
            engine,
            self._folder / "incoming",
            partitions=PARTITIONS,
            clock=lambda: NOW,
            orders=self._job,
            history=Nobody(),
        )

    async def take(self, records: Sequence[LogRecord]) -> None:
        self._job.take(records)
        async with asyncio.timeout(PATIENCE_S):
            await self.store.follower.reached(self._job.ends)

    async def reopen(self) -> None:
        await self.store.__aexit__(None, None, None)
        self.store = self._new()
        await self.store.__aenter__()


@asynccontextmanager
async def taking_in(
    folder: Path, job: Job, source: Callable[[], ChunkReader]
) -> AsyncIterator[Taking]:
    taking = Taking(folder, job, source)
    await taking.store.__aenter__()
    yield taking
    await taking.store.__aexit__(None, None, None)


class OfReplicas(
    suite.SeriesStoreContract,
    suite.BuildsContract,
    suite.AuditsContract,
    suite.ExportsContract,
    suite.ErasesContract,
    suite.FirstAndNewestContract,
    suite.OverviewsContract,
    suite.SnapshotsContract,
):
    """What a replica must do."""


class TestReplicaStore(OfReplicas):
    @pytest.fixture
    async def taking(self, tmp_path: Path) -> AsyncIterator[Taking]:
        shared = Shared()
        job = Job(tmp_path, shared, partitions=PARTITIONS, now=NOW)
        async with taking_in(tmp_path, job, lambda: shared) as taking:
            yield taking


class Ours(IgniteChunks):
    """Ignite's chunks, of the partitions of these tests alone."""

    def partitions(self) -> list[int]:
        return [*range(PARTITIONS)]

    def clear(self) -> None:
        for partition in self.partitions():
            self.remove([head.chunk_id for head in self.heads(partition)])


@pytest.mark.cluster
@pytest.mark.timeout(1800)
class TestReplicaStoreOfIgnite(OfReplicas):
    @pytest.fixture
    def shelf(self, ignite: Settings) -> Iterator[Ours]:
        shelf = Ours(ignite.ignite)
        shelf.clear()
        yield shelf
        shelf.clear()
        shelf.close()

    @pytest.fixture
    async def taking(self, tmp_path: Path, shelf: Ours, ignite: Settings) -> AsyncIterator[Taking]:
        job = Job(tmp_path, shelf, partitions=PARTITIONS, now=NOW)
        async with taking_in(tmp_path, job, lambda: Ours(ignite.ignite)) as taking:
            yield taking
