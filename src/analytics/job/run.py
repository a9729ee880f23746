"""Runs the job: builds its parts, restarts a failed query, and stops between two batches."""

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
from analytics.exploration import ExplorationResult
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

_RESTART_AFTER_S: Final = 3.0


def adopt(settings: Settings) -> int:
    """Adopt a topic that was deleted and created again; see `continuity.adopt`.

    Return how many of its records are yet to be counted. Raises `Unavailable`.
    """
    logs.configure(settings.logs)
    with closing(_archive(settings)) as archive:
        return asyncio.run(
            continuity.adopt(settings.kafka, _state_directory(settings).taken(), archive)
        )


def run(settings: Settings, jars: Sequence[Path]) -> None:
    """Process the log until SIGTERM or SIGINT. *jars* are Spark's connector to Kafka."""
    logs.configure(settings.logs)
    stop = threading.Event()
    job = StreamingJob(settings, jars, stop)
    _stop_on_signals(stop)
    endpoint = QueryEndpoint(settings.spark.secret.get_secret_value())
    with http_server.serving(
        settings.spark.host,
        settings.spark.port,
        job.metrics,
        fault=lambda: job.fault,
        alarms={
            "retention": lambda: job.lag_alarm.lateness.fault,
            "memory": lambda: job.outbox_relay.eviction.fault,
        },
        loops=job.loops,
        endpoint=endpoint,
    ) as port:
        log.info("job_starting", port=port, master=settings.spark.master)
        with spark.running(job.plan) as session:
            _stop_on_signals(stop)  # again: Spark installs a handler that cancels running jobs
            with (
                job.outbox_relay,
                job.lag_alarm,
                job.dead_letters,
                closing(_archive(settings)) as archive,
            ):
                endpoint.begin(job.answers(session, archive, settings))
                job.run(session)
    log.info("stopped")


class StreamingJob:
    """The streaming query and everything it needs; the query is restarted whenever it fails."""

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
        self.metrics = JobMetrics()
        self.outbox_relay = OutboxRelay(states, settings.ignite, settings.cassandra)
        self.metrics.registry.register(Breakers(self.outbox_relay.breakers))
        self.lag_alarm = LagAlarm(states, settings.kafka)
        self.dead_letters = DeadLetters(states, settings.kafka)
        self.loops = (self.outbox_relay.state, self.lag_alarm.state, self.dead_letters.state)
        self.metrics.registry.register(Loops(self.loops))
        self.fault: str | None = "it is starting"
        """Why no records are processed now, or None."""
        self._kafka = settings.kafka
        self._task = WorkerTask(states, settings.ignite, settings.cassandra)
        self._stop = stop

    def run(self, session: SparkSession) -> None:
        """Run the query until a stop is requested, restarting it after failures."""
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
                        partitions=lambda: self.lag_alarm.lateness.partitions,
                        stop=self._stop,
                    ),
                )
            except Unavailable as exc:
                # The state files say what was processed, so restarting is always safe.
                log.error("query_ended", error=str(exc))  # noqa: TRY400 - the text says it all
                self.fault = str(exc)
                self._stop.wait(_RESTART_AFTER_S)
        self.fault = "it is stopping"

    def _begins(self) -> Mapping[int, int | None]:
        """Map each partition of the topic to the offset to start at; None for the oldest record.

        Raises `StoreUnavailable` if the log does not continue where processing stopped.
        """
        breaks = asyncio.run(continuity.breaks(self._kafka, self._task.states))
        if breaks:
            raise StoreUnavailable(continuity.message(breaks))
        return asyncio.run(continuity.begins(self._kafka, self._task.states))

    def answers(
        self, session: SparkSession, archive: TieredChunks, settings: Settings
    ) -> Callable[[RemoteQuery], Result | ExplorationResult]:
        """Return a function that answers replicas' queries with the Spark that runs the stream."""
        coordinator = QueryCoordinator(
            archive,
            partial(orders_of, self._task.states),
            partial(spark.scatter, session, at_most_s=settings.spark.question_timeout_s),
            TaskContext(settings.ignite, settings.cassandra, settings.spark.question_memory >> 20),
        )

        def answer(query: RemoteQuery) -> Result | ExplorationResult:
            with self.metrics.question.time():
                return coordinator.answer(query)

        return answer

    def _note_lag(self, records: int) -> None:
        self.metrics.lag.set(records)
        self.metrics.outbox.set(self.outbox_relay.outbox_bytes)
        lateness = self.lag_alarm.lateness
        self.metrics.lag_seconds.set(lateness.age_ms / 1000)
        self.metrics.retention.set((lateness.kept_ms or 0) / 1000)
        self.metrics.erasures.set(self.outbox_relay.erasures)
        use = self.outbox_relay.eviction.use
        self.metrics.ignite_used.set(use.used)
        self.metrics.ignite_limit.set(use.limit)

    def _count(self, batch: Sequence[Any], seconds: float) -> None:
        records = sum(each.records for each in batch)
        fold_ms = sum(each.took_ms for each in batch)
        dead = [
            letter for each in batch if each.dead for letter in msgspec.msgpack.decode(each.dead)
        ]
        self.metrics.batch.observe(seconds)
        self.metrics.records.inc(records)
        self.metrics.rows.inc(sum(each.rows for each in batch))
        self.metrics.fold.inc(fold_ms / 1000)
        self.metrics.dead.inc(len(dead))
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
    """Return the state folder that the settings name; see `StateDirectory`."""
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
    """Return the erasures of rows of *site* that reached *partition*. Raises `StoreUnavailable`."""
    if partition not in states.partitions():
        return ()
    with states.open(partition) as state:
        return [each for each in state.erasures.all() if each.site == site]


def _archive(settings: Settings) -> TieredChunks:
    return TieredChunks(IgniteChunks(settings.ignite), CassandraChunks(settings.cassandra))


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
