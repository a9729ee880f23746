"""A replica over chunks in this process, with the job and the log beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import traffic
from tests.store.job import SOURCES, Job

from analytics.errors import StoreUnavailable
from analytics.event import Erasure, LogRecord
from analytics.exploration import ExplorationResult
from analytics.pipeline.fold import fold
from analytics.pipeline.ledger import WriteBatch
from analytics.pipeline.state import PipelineState
from analytics.query import Result
from analytics.store.chunks.chunk import Chunk
from analytics.store.chunks.chunk_erasure import rewritten
from analytics.store.duckdb import DuckDBStore
from analytics.store.freshness import Ends
from analytics.store.replica.remote_query import RemoteQuery
from analytics.store.replica.remote_query_client import RemoteQueries
from analytics.store.replica.store import ReplicaStore

PARTITIONS = 4
LATER = traffic.UNTIL + 3 * traffic.DAY


class Shared:
    """Chunks in this process, shared as Ignite would."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[Chunk]] = {}
        self.away = False
        self.lost: set[int] = set()
        """Partitions of which nothing can be had."""

    def put(self, chunks: Sequence[Chunk]) -> None:
        for each in chunks:
            self.chunks.setdefault(each.partition, []).append(each)

    def following(self, partition: int, offset: int, limit: int) -> Sequence[Chunk]:
        if self.away or partition in self.lost:
            raise StoreUnavailable("away")
        found = [e for e in self.chunks.get(partition, ()) if e.first_offset >= offset]
        return sorted(found, key=lambda each: each.first_offset)[:limit]

    def holding(self, partition: int, offset: int) -> Chunk | None:
        for each in self.chunks.get(partition, ()):
            if each.first_offset < offset <= each.last_offset:
                return each
        return None

    def partitions(self) -> Sequence[int]:
        return sorted(self.chunks)

    def close(self) -> None:
        pass


class Clock:
    now = LATER

    def __call__(self) -> int:
        return self.now


class Cluster(Job):
    """The job, with what the outbox relay does to its chunks."""

    def __init__(self, folder: Path, shared: Shared) -> None:
        super().__init__(folder, shared, partitions=PARTITIONS, now=LATER)
        self.shared = shared

    def rewrite(self) -> None:
        """As the outbox relay does in the end."""
        for partition, memory in enumerate(self.memories):
            orders = memory.erasures.all()
            chunks = self.shared.chunks.get(partition, [])
            self.shared.chunks[partition] = [rewritten(each, orders) or each for each in chunks]


class Orders:
    """The cluster's log, for orders."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self.held_up = 0
        """How many appends take longer than they may."""

    async def partitions(self) -> Sequence[int]:
        return range(PARTITIONS)

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        self._cluster.take(orders)
        if self.held_up:
            self.held_up -= 1
            self._clock.now += 10_000
        return dict(self._cluster.ends)


class Nobody:
    """A history that is away."""

    async def ask(self, asked: RemoteQuery) -> Result:
        raise StoreUnavailable("nobody answers")

    async def explore(self, asked: RemoteQuery) -> ExplorationResult:
        raise StoreUnavailable("nobody answers")

    async def close(self) -> None:
        pass


def replica_in(
    folder: Path,
    shared: Shared,
    clock: Clock,
    orders: Orders | None = None,
    *,
    history: RemoteQueries | None = None,
    hot_days: int = 0,
    ends: Ends | None = None,
) -> ReplicaStore:
    folder.mkdir(exist_ok=True)
    engine = DuckDBStore(
        folder / "store.duckdb",
        timezones=lambda: traffic.SITES,
        rebuild_at_most_every_ms=0,
        hot_days=hot_days,
    )
    return ReplicaStore(
        shared,
        engine,
        folder / "incoming",
        partitions=PARTITIONS,
        clock=clock,
        history=history or Nobody(),
        orders=orders,
        ends=ends,
    )


async def fold_into(store: DuckDBStore, records: Sequence[LogRecord]) -> None:
    outcome = fold(list(enumerate(records)), PipelineState(SOURCES, keep_ms=1 << 50), set())
    await store.write(WriteBatch(outcome.rows, outcome.ledger, (), 0, len(records)))
