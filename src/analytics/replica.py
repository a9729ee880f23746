"""Open a replica of a cluster: Kafka behind a spool, and a store that follows the chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final, NamedTuple

from analytics import extras
from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.errors import LogUnavailable, Misconfigured, NotVisibleYet
from analytics.event import Erasure
from analytics.gateway import metrics
from analytics.guard import Guard
from analytics.resources import CommonResources, Resources, clock
from analytics.settings import Settings
from analytics.store import guards
from analytics.store.duckdb import open_store
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore
from analytics.stream.base import Position, unknown_receipt
from analytics.stream.journal import JournalLimits
from analytics.stream.kafka import kafka_log
from analytics.stream.spool import Spool, SpoolLimits

_WAIT_S: Final = 10.0
_STANDS_STILL_S: Final = 60.0


class Backends(NamedTuple):
    """The open backends of a replica."""

    settings: Settings
    store: ReplicaStore
    log: Spool
    kafka_loops: Sequence[LoopState]
    figures: FollowedProjection
    ignite: Guard
    cassandra: Guard
    spark: Guard

    async def audit(self) -> Sequence[str]:
        """Return the faults of the chunks in Ignite and in Cassandra, one sentence each."""
        extras.require("the audit of a cluster", "cassandra")
        from analytics.job.upkeep import audit

        return (await audit.run(self.settings, ignite=self.ignite, cassandra=self.cassandra)).faults

    def gauges(self) -> metrics.Sources:
        """Return the gauges of the backends: maps a metric to its help text and its reading."""
        follower = self.store.follower
        return {
            "analytics_spool_records": (
                "Hits that wait on this disk for Kafka.",
                lambda: self.log.backlog,
            ),
            "analytics_spool_bytes": (
                "What the spool takes on disk.",
                lambda: self.log.backlog_bytes,
            ),
            "analytics_replica_next_offset": (
                "Records of the log, all partitions, that are in this replica's figures.",
                lambda: sum(follower.next_offsets.values()),
            ),
            "analytics_replica_complete_timestamp_seconds": (
                "The last moment known of which nothing is missing in this replica's figures.",
                lambda: self.store.complete_at / 1000,
            ),
        }

    def breakers(self) -> Sequence[Breaker]:
        """Return the circuit breakers of Kafka, Ignite, Cassandra and Spark."""
        return (self.log.breaker, self.ignite.breaker, self.cassandra.breaker, self.spark.breaker)

    def loops(self) -> Sequence[LoopState]:
        """Return the state of the backends' background loops."""
        return (*self.kafka_loops, *self.log.loops, *self.store.loops)

    def checks(self) -> Mapping[str, Callable[[], str | None]]:
        """Return the readiness checks: maps a name to a function that returns the fault, if any.

        Only faults that keep events from being accepted count. Stale figures do not: answers say
        how old they are.
        """
        return {"log": lambda: self.log.fault}


class SpooledErasures:
    """Appends erasure requests to the log, through the spool."""

    def __init__(self, log: Spool) -> None:
        self._log = log

    async def partitions(self) -> Sequence[int]:
        """Return the topic's partitions. Raise `LogUnavailable` while Kafka is away."""
        return [end.partition for _, end in await self._log.ends()]

    async def append(self, orders: Sequence[Erasure]) -> Mapping[int, int]:
        """Append *orders*; return, once Kafka has them, the offset behind them in each partition.

        Raise `LogUnavailable`, or `NotVisibleYet` if they still wait in the spool after 10 s.
        """
        positions = await self._log.append(orders)
        try:
            async with asyncio.timeout(_WAIT_S):
                places = [p for each in positions for p in await self._log.places(each)]
        except TimeoutError:
            raise NotVisibleYet(
                "Kafka is away: the erasure waits in the spool of this replica, and is carried out"
                " when Kafka is back; ask again then, to be sure"
            ) from None
        ends: dict[int, int] = {}
        for place in places:
            ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)
        return ends


class FollowedProjection:
    """Waits for figures that the Spark job computes and this replica follows."""

    def __init__(self, log: Spool, store: ReplicaStore) -> None:
        self._log = log
        self._follower = store.follower

    @property
    def fault(self) -> str | None:
        """The reason why this replica cannot follow the chunks; None while it can."""
        return self._follower.fault

    async def visible(self, receipts: str) -> None:
        """Return when every record of *receipts* (by comma) is in the figures.

        Raise `Malformed` for a receipt that this log did not issue, and `NotVisibleYet` after 10 s.
        """
        positions = [Position.parse(receipt) for receipt in receipts.split(",")]
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._refuse_unknown(positions)
                for position in positions:
                    for place in await self._log.places(position):
                        await self._follower.reached({place.partition: place.offset + 1})
        except TimeoutError:
            raise NotVisibleYet(
                "the event is durable, and not in the figures yet; ask again in a moment"
            ) from None

    async def _refuse_unknown(self, positions: Sequence[Position]) -> None:
        """Raise `Malformed` for a position at which nothing was appended.

        Return without a check while Kafka is away, so that the caller waits.
        """
        here = self._follower.next_offsets
        ahead = [each for each in positions if each.offset >= here.get(each.partition, 0)]
        with suppress(LogUnavailable):
            if ahead and not await self._log.holds(ahead):
                raise unknown_receipt()

    async def settle(self) -> None:
        """Return when everything that the log holds at the call is in the figures.

        Raise `LogUnavailable` while Kafka is away, `NotVisibleYet` after a minute without progress.
        """
        try:
            ends = {end.partition: end.offset for _, end in await self._log.ends()}
        except LogUnavailable as exc:
            raise LogUnavailable(
                f"nobody can say what is still to come ({exc}), and nothing was done: ask again"
                " when Kafka is back"
            ) from exc
        before: Mapping[int, int] | None = None
        while before != self._follower.next_offsets:
            before = dict(self._follower.next_offsets)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STANDS_STILL_S):
                    return await self._follower.reached(ends)
        raise NotVisibleYet(
            "the figures lack what is in the log, and stand still: see whether the Spark job runs"
            f" and Ignite answers{f' ({self.fault})' if self.fault else ''}, then ask again"
        )

    def changes(self) -> AsyncIterator[None]:
        """Yield whenever rows have come since the last time."""
        return self._follower.changes()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold back writes to the store while the block runs."""
        async with self._follower.stepping:
            yield


async def opened(common: CommonResources, stack: AsyncExitStack, ignite: Guard) -> Resources:
    """Open a replica's backends, Ignite behind its guard; *stack* closes them.

    Raise `Misconfigured`.
    """
    backends = await _backends(common, stack, ignite)
    return Resources(
        settings=common.settings,
        folder=common.folder,
        catalog=common.catalog,
        store=backends.store,
        erases=backends.store,
        log=backends.log,
        clock=clock,
        settle=backends.figures.settle,
        paused=backends.figures.paused,
        formats=common.formats(),
        figures=backends.figures,
        enricher=common.enricher,
        checks=backends.checks(),
        loops=[*backends.loops(), *common.catalog.loops],
        breakers=(*backends.breakers(), *common.breakers),
        audits=(backends.audit,),
        gauges=backends.gauges(),
        registry=common.registry,
        behind=lambda: backends.log.backlog,
        lag=backends.store.lag,
    )


async def _backends(common: CommonResources, stack: AsyncExitStack, ignite: Guard) -> Backends:
    settings, folder = common.settings, common.folder
    if settings.log.backend != "kafka":
        raise Misconfigured(
            "store.backend ignite needs log.backend kafka: the Spark job fills Ignite from Kafka"
        )
    extras.require("store.backend ignite", "pyignite", "pyarrow", "cassandra")
    from analytics.store.chunks.cassandra import CassandraChunks
    from analytics.store.chunks.ignite import IgniteChunks
    from analytics.store.chunks.tiered import TieredChunks

    cassandra = guards.cassandra(settings.cassandra)
    kafka = kafka_log(settings.kafka)
    log = Spool(
        kafka,
        folder.spool,
        journal=JournalLimits.of(settings.journal),
        limits=SpoolLimits(
            after_s=settings.log.spool_after_s, retry_after_s=settings.log.retry_after_s
        ),
    )
    engine = open_store(
        settings.store, folder.store, timezones=common.timezones, hot_days=settings.store.hot_days
    )
    spark = guards.spark(settings.spark)
    await stack.enter_async_context(log)  # the store reads its ends
    store = await stack.enter_async_context(
        ReplicaStore(
            TieredChunks(
                IgniteChunks(settings.ignite, ignite),
                CassandraChunks(settings.cassandra, cassandra),
            ),
            engine,
            folder.path / "incoming",
            partitions=settings.kafka.partitions,
            clock=clock,
            orders=SpooledErasures(log),
            ends=partial(_ends, log),
            history=RemoteQueryClient(
                settings.spark, spark, queue_timeout_s=settings.store.queue_timeout_s
            ),
        )
    )
    return Backends(
        settings,
        store,
        log,
        kafka.loops,
        FollowedProjection(log, store),
        ignite,
        cassandra,
        spark,
    )


async def _ends(log: Spool) -> Mapping[int, int]:
    """Return the end of each partition.

    Raise `LogUnavailable` while Kafka is away, and while hits still wait in the spool.
    """
    if log.backlog:
        raise LogUnavailable("hits wait for Kafka in the spool")
    return {end.partition: end.offset for _, end in await log.ends()}
