"""Running the job: what it needs, its signals, and a stop between two batches."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from pyspark.sql import SparkSession

from analytics import logs
from analytics.errors import Misconfigured, StoreUnavailable, Unavailable
from analytics.event import Erasure
from analytics.gateway.metrics import Breakers, Loops
from analytics.job import http_server, spark
from analytics.job.metrics import JobMetrics
from analytics.job.partition import continuity
from analytics.job.partition.state_directory import StateDirectory
from analytics.job.partition.worker import WorkerTask
from analytics.job.query.coordinator import QueryCoordinator, TaskContext
from analytics.job.query.http import QueryEndpoint
from analytics.job.upkeep.dead_letters import DeadLetters
from analytics.job.upkeep.lag_alarm import LagAlarm
from analytics.job.upkeep.outbox_relay import OutboxRelay
from analytics.query import Result
from analytics.settings import Settings
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.chunks.tiered import TieredChunks
from analytics.store.replica.remote_query import RemoteQuery

log = structlog.get_logger()

_AGAIN_S: Final = 3.0


def adopt(settings: Settings) -> int:
    """Let a topic that was made anew go on where the old one was folded to.

    Returns how many of its records are to be counted yet. Raises `Unavailable`.
    """
    logs.configure(settings.logs)
    with closing(_archive(settings)) as archive:
        return asyncio.run(
            continuity.adopt(settings.kafka, _state_directory(settings).taken(), archive)
        )


def run(settings: Settings, jars: Sequence[Path]) -> None:
    """Follow the log until SIGTERM or SIGINT."""
    logs.configure(settings.logs)
    stop = threading.Event()
    job = StreamingJob(settings, jars, stop)
    _stopped_by_signals(stop)
    replies = QueryEndpoint(settings.spark.secret.get_secret_value())
    with http_server.serving(
        settings.spark.host,
        settings.spark.port,
        job.figures,
        fault=lambda: job.fault,
        alarms={
            "retention": lambda: job.retention.lateness.fault,
            "memory": lambda: job.courier.headroom.fault,
        },
        loops=job.loops,
        replies=replies,
    ) as number:
        log.info("job_starting", port=number, master=settings.spark.master)
        with spark.running(job.plan) as session:
            _stopped_by_signals(stop)  # again: Spark's own handler would cancel what runs
            with (
                job.courier,
                job.retention,
                job.dead_letters,
                closing(_archive(settings)) as archive,
            ):
                replies.begin(job.answers(session, archive, settings))
                job.run(session)
    log.info("stopped")


class StreamingJob:
    """The query with all that it needs, begun again whenever it fails."""

    def __init__(self, settings: Settings, jars: Sequence[Path], stop: threading.Event) -> None:
        folder = settings.data.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        states = _state_directory(settings).taken()
        self.plan = spark.StreamPlan(
            master=settings.spark.master,
            checkpoint=folder / "checkpoint",
            jars=jars,
            memory_mib=settings.cluster.spark_memory >> 20,
            trigger_s=settings.spark.trigger_s,
            max_offsets=settings.spark.max_records,
        )
        self.figures = JobMetrics()
        self.courier = OutboxRelay(states, settings.ignite, settings.cassandra)
        self.figures.registry.register(Breakers(self.courier.breakers))
        self.retention = LagAlarm(states, settings.kafka)
        self.dead_letters = DeadLetters(states, settings.kafka)
        self.loops = (self.courier.loop, self.retention.loop, self.dead_letters.loop)
        self.figures.registry.register(Loops(self.loops))
        self.fault: str | None = "it is starting"
        """Why nothing is folded now."""
        self._kafka = settings.kafka
        self._task = WorkerTask(states, settings.ignite, settings.cassandra)
        self._stop = stop

    def run(self, session: SparkSession) -> None:
        """Go on until it is stopped."""
        while not self._stop.is_set():
            try:
                begins = self._begins()
                self.fault = None
                spark.follow(
                    session,
                    self.plan,
                    self._kafka,
                    begins,
                    self._task.__call__,
                    spark.StreamObserver(
                        tally=self._count,
                        lag=self._note_lag,
                        partitions=lambda: self.retention.lateness.partitions,
                        stop=self._stop,
                    ),
                )
            except Unavailable as exc:
                # What was folded is remembered, so to begin again is always right.
                log.error("query_ended", error=str(exc))  # noqa: TRY400 - the text says it all
                self.fault = str(exc)
                self._stop.wait(_AGAIN_S)
        self.fault = "it is stopping"

    def _begins(self) -> Mapping[int, int | None]:
        """Return for each partition of the topic the offset to go on with; None for the oldest.

        Raises `StoreUnavailable` when the log does not go on where it was folded to.
        """
        found = asyncio.run(continuity.breaks(self._kafka, self._task.states))
        if found:
            raise StoreUnavailable(continuity.message(found))
        return asyncio.run(continuity.begins(self._kafka, self._task.states))

    def answers(
        self, session: SparkSession, archive: TieredChunks, settings: Settings
    ) -> Callable[[RemoteQuery], Result]:
        """What answers replicas, with the same Spark that folds."""
        asking = QueryCoordinator(
            archive,
            partial(orders_of, self._task.states),
            partial(spark.scatter, session, at_most_s=settings.spark.question_timeout_s),
            TaskContext(settings.ignite, settings.cassandra, settings.spark.question_memory >> 20),
        )

        def answer(asked: RemoteQuery) -> Result:
            with self.figures.question.time():
                return asking.answer(asked)

        return answer

    def _note_lag(self, records: int) -> None:
        self.figures.lag.set(records)
        self.figures.outbox.set(self.courier.outbox_bytes)
        lateness = self.retention.lateness
        self.figures.lag_seconds.set(lateness.age_ms / 1000)
        self.figures.retention.set((lateness.kept_ms or 0) / 1000)
        self.figures.erasures.set(self.courier.erasures)
        memory = self.courier.headroom.use
        self.figures.ignite_used.set(memory.used)
        self.figures.ignite_limit.set(memory.limit)

    def _count(self, batch: Sequence[Any], seconds: float) -> None:
        records = sum(each.records for each in batch)
        fold_ms = sum(each.took_ms for each in batch)
        dead = [
            letter for each in batch if each.dead for letter in msgspec.msgpack.decode(each.dead)
        ]
        self.figures.batch.observe(seconds)
        self.figures.records.inc(records)
        self.figures.rows.inc(sum(each.rows for each in batch))
        self.figures.fold.inc(fold_ms / 1000)
        self.figures.dead.inc(len(dead))
        for offset, _received_at, reason, _payload in dead:
            log.error("record_unreadable", offset=offset, error=reason)
        log.info(
            "batch_folded",
            records=records,
            took_ms=round(seconds * 1000),
            fold_ms=fold_ms,
            sent=all(each.sent for each in batch),
        )


def _state_directory(settings: Settings) -> StateDirectory:
    """Where the job's states lie, by its settings."""
    chosen = settings.spark.memory
    if chosen is not None:
        return StateDirectory(chosen.absolute(), shared=True)
    if not spark.is_local(settings.spark.master):
        raise Misconfigured(
            f"spark.master is {settings.spark.master}, whose executors may run on other machines:"
            " set spark.memory to a folder on a file system that this job and all of them share"
        )
    return StateDirectory(settings.data.absolute() / "memory")


def orders_of(states: StateDirectory, partition: int, site: str) -> Sequence[Erasure]:
    """The orders to erase rows of *site* that reached *partition*."""
    if partition not in states.partitions():
        return ()
    with states.open(partition) as state:
        return [each for each in state.erasures.all() if each.site == site]


def _archive(settings: Settings) -> TieredChunks:
    return TieredChunks(IgniteChunks(settings.ignite), CassandraChunks(settings.cassandra))


def _stopped_by_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
