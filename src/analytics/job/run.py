"""Running the job: what it needs, its signals, and a stop between two batches."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from analytics import logs
from analytics.job import spark
from analytics.job.courier import Courier
from analytics.job.status import Figures, told
from analytics.job.worker import Task
from analytics.settings import Settings

log = structlog.get_logger()


def run(settings: Settings, jars: Sequence[Path]) -> None:
    """Follow the log until SIGTERM or SIGINT."""
    logs.configure(settings.logs)
    folder = settings.data.absolute()
    memories = folder / "memory"
    memories.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    figures = Figures()
    plan = spark.Plan(
        master=settings.spark.master,
        checkpoint=folder / "checkpoint",
        jars=jars,
        memory_mib=settings.cluster.spark_memory >> 20,
        trigger_s=settings.spark.trigger_s,
        max_offsets=settings.spark.max_records,
    )
    state = _State()
    courier = Courier(memories, settings.ignite, settings.cassandra)
    with (
        courier,
        told(settings.spark.host, settings.spark.port, figures, lambda: state.fault) as port,
    ):
        log.info("job_starting", port=port, master=plan.master)
        session = spark.session(plan)
        # Spark's own handler of SIGINT would cancel what runs; ours lets it end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            state.fault = None

            def tally(told_: Sequence[Any], seconds: float) -> None:
                _count(figures, told_, seconds)
                figures.outbox.set(courier.outbox_bytes)

            spark.follow(
                session,
                plan,
                settings.kafka,
                Task(memories, settings.ignite),
                tally,
                stop,
                figures.lag.set,
            )
        finally:
            state.fault = "it is stopping"
            session.stop()
    log.info("stopped")


class _State:
    fault: str | None = "it is starting"


def _count(figures: Figures, told_: Sequence[Any], seconds: float) -> None:
    figures.batch.observe(seconds)
    records = sum(each.records for each in told_)
    figures.records.inc(records)
    figures.rows.inc(sum(each.rows for each in told_))
    figures.fold.inc(sum(each.took_ms for each in told_) / 1000)
    dead = [letter for each in told_ if each.dead for letter in msgspec.msgpack.decode(each.dead)]
    figures.dead.inc(len(dead))
    for offset, _received_at, reason, _payload in dead:
        log.error("record_unreadable", offset=offset, error=reason)
    log.info(
        "batch_folded",
        records=records,
        took_ms=round(seconds * 1000),
        fold_ms=sum(each.took_ms for each in told_),
        sent=all(each.sent for each in told_),
    )
