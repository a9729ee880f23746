"""Open a replica of a cluster: Kafka behind a spool, and a store that follows the chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from analytics import extras
from analytics.background import LoopState
from analytics.breaker import Breaker
from analytics.errors import LogUnavailable, Misconfigured
from analytics.followed_projection import FollowedProjection
from analytics.gateway import metrics
from analytics.guard import Guard
from analytics.resources import CommonResources, Resources, clock
from analytics.settings import Settings
from analytics.spooled_erasures import SpooledErasures
from analytics.store import guards
from analytics.store.duckdb import open_store
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore
from analytics.stream.journal import JournalLimits
from analytics.stream.kafka import kafka_log
from analytics.stream.spool import Spool, SpoolLimits


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
                "Hits that wait on this disk to be sent to Kafka.",
                lambda: self.log.backlog,
            ),
            "analytics_spool_bytes": (
                "Size of the spool on disk, in bytes.",
                lambda: self.log.backlog_bytes,
            ),
            "analytics_replica_next_offset": (
                "Records of the log, over all partitions, that this replica's figures include.",
                lambda: sum(follower.next_offsets.values()),
            ),
            "analytics_replica_complete_timestamp_seconds": (
                "Time up to which this replica's figures are known to be complete.",
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
        rebuilds=backends.store,
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
        settings.store,
        folder.store,
        timezones=common.timezones,
        goals=common.goals,
        hot_days=settings.store.hot_days,
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
