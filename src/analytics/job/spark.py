"""Runs the streaming query in Spark: each partition's new records go to a Python worker."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pyarrow as pa
import structlog
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from analytics.errors import QueryTooLong, StoreUnavailable, Unavailable
from analytics.job.kafka_options import connection
from analytics.job.partition.worker import RECORDS_AT_ONCE, TALLY
from analytics.job.query.task import QueryTask, TaskResult, execute
from analytics.settings import KafkaSettings

log = structlog.get_logger()

_MAX_OFFSETS: Final = 60_000
_FETCH_WAIT_MS: Final = 10
"""How long a broker may hold a fetch while there is nothing to return.

A broker handles the requests of a connection in order, and an idle consumer always has a fetch
pending. The first request of the next batch would wait behind it: half a second by default.
"""
_OLDEST: Final = -2
"""Spark's notation for the earliest offset."""
_STOP_S: Final = 60.0
_POLL_S: Final = 0.5
_OURS: Final = re.compile(r"^analytics\.errors\.\w+: (.+)$", re.MULTILINE)
"""Matches one of our errors on the last line of a Python traceback."""


class StreamPlan(NamedTuple):
    """The options of the streaming query."""

    master: str
    checkpoint: Path
    jars: Sequence[Path]
    memory_mib: int
    trigger_s: float
    max_offsets: int = _MAX_OFFSETS
    """The most records in one batch."""


class PartitionSource(NamedTuple):
    """One partition of the topic, read as a stream of its own.

    Spark divides the record limit of one stream in proportion to backlog: beside a partition with a
    large backlog, others would get only one or two records a batch.
    """

    partition: int
    first: int | None
    """The offset to start at; None for the oldest record."""
    most: int
    """The most records of it in one batch."""


class StreamObserver(NamedTuple):
    """Callbacks that observe a running query, and an event that stops it."""

    tally: Callable[[Sequence[Any], float], None]
    """Called after each batch with the rows of `TALLY` and the seconds it took."""
    lag: Callable[[int], None]
    """Called regularly with the number of unprocessed records."""
    partitions: Callable[[], int]
    """Returns the topic's number of partitions; 0 if it is not known yet."""
    stop: threading.Event


def is_local(master: str) -> bool:
    """Return whether *master* is a Spark that runs inside this process's machine (`local…`)."""
    return master.startswith("local")


@contextmanager
def running(plan: StreamPlan) -> Iterator[SparkSession]:
    """Run a Spark session while the block runs. Raises `Unavailable` if its JVM dies."""
    spark = session(plan)
    try:
        yield spark
    except (Py4JNetworkError, ConnectionError) as exc:
        raise Unavailable(
            "Spark's Java process has ended: start the job again; it continues where it stopped"
        ) from exc
    finally:
        with suppress(Py4JError, ConnectionError):
            spark.stop()


def session(plan: StreamPlan) -> SparkSession:
    """Start a Spark session with as few resources as possible."""
    scratch = _emptied(plan.checkpoint.parent / "scratch")
    options: Mapping[str, object] = {
        "spark.jars": ",".join(map(str, plan.jars)),
        "spark.driver.memory": f"{plan.memory_mib}m",
        "spark.driver.extraJavaOptions": (
            f'-XX:+UseSerialGC -XX:TieredStopAtLevel=4 "-Djava.io.tmpdir={scratch}"'
        ),
        "spark.local.dir": scratch,
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
        "spark.sql.execution.arrow.maxRecordsPerBatch": RECORDS_AT_ONCE,
        "spark.sql.streaming.noDataMicroBatches.enabled": False,
        "spark.sql.streaming.minBatchesToRetain": 10,
        "spark.python.worker.reuse": True,
        # Replicas' queries run beside the stream, in a pool of their own.
        "spark.scheduler.mode": "FAIR",
        "spark.log.level": "WARN",
        **(_LOCAL if is_local(plan.master) else {}),
    }
    # Without this, executors run the first `python3` on their PATH.
    if is_local(plan.master):
        os.environ["PYSPARK_PYTHON"] = sys.executable
    else:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("analytics").master(plan.master)
    for name, value in options.items():
        builder = builder.config(name, str(value).lower() if isinstance(value, bool) else value)
    spark = builder.getOrCreate()
    if not is_local(plan.master):
        # Only spark-submit applies this setting; a driver started as a Python program must do so.
        if named := spark.sparkContext.getConf().get("spark.pyspark.python"):
            spark.sparkContext.pythonExec = named
        spark.sparkContext.addPyFile(str(package(plan.checkpoint.parent)))
    return spark


def _emptied(folder: Path) -> Path:
    """Empty and return *folder*: a JVM that was killed leaves its temporary files there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


_LOCAL: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def scatter(
    spark: SparkSession, tasks: Sequence[QueryTask], *, at_most_s: float
) -> Sequence[TaskResult]:
    """Execute each of *tasks* in Spark, beside the stream; return their results in the same order.

    Raises `QueryTooLong` if that takes longer than *at_most_s*, `StoreUnavailable` if Spark fails.
    """
    context = spark.sparkContext
    group = f"question-{uuid4().hex}"
    expired = threading.Event()

    def cancel() -> None:
        expired.set()
        context.cancelJobGroup(group)

    timer = threading.Timer(at_most_s, cancel)
    timer.start()
    fault: Exception | None = None
    results: Sequence[TaskResult] = ()
    try:
        context.setLocalProperty("spark.scheduler.pool", "questions")
        context.setJobGroup(group, "a replica's query", interruptOnCancel=True)
        results = context.parallelize(tasks, len(tasks)).map(execute).collect()
    except (PySparkException, Py4JError) as exc:
        fault = exc
    except AttributeError as exc:
        if _is_running(context):
            raise
        raise StoreUnavailable("The Spark job is stopping; ask again once it runs.") from exc
    finally:
        timer.cancel()
    if expired.is_set():
        raise QueryTooLong(
            f"The query took longer than {at_most_s:g} s in Spark and was cancelled. Ask for a"
            " shorter period, or raise spark.question_timeout_s."
        ) from fault
    if fault is not None:
        raise StoreUnavailable(f"Spark has failed: {message_of(fault)}") from fault
    return results


def _is_running(context: SparkContext) -> bool:
    """Return whether *context* can still reach Spark.

    A stopped context has no connection to Java, so each call that it forwards raises
    `AttributeError`; PySpark has no property that says so.
    """
    try:
        return bool(context.applicationId)
    except (AttributeError, Py4JError):
        return False


def follow(
    spark: SparkSession,
    plan: StreamPlan,
    kafka: KafkaSettings,
    begins: Mapping[int, int | None],
    task: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    watch: StreamObserver,
) -> None:
    """Process the topic until *watch* stops it, and end between two batches.

    *begins* maps each partition to the offset to start at; None for the oldest record. Raises
    `StoreUnavailable` if the query fails or the topic gets more partitions. Restarting is always
    safe, because the state files say what was processed.
    """
    most = max(1, plan.max_offsets // len(begins))
    records = reduce(
        DataFrame.unionAll,
        (
            spark.readStream.format("kafka")
            .options(**source_options(kafka, PartitionSource(partition, first, most)))
            .load()
            .selectExpr("partition", "offset", "unix_millis(timestamp) AS appended_at", "value")
            for partition, first in sorted(begins.items())
        ),
    )
    if is_local(plan.master):
        # Starting a task takes longer than processing a second's records, so there are only as
        # many as can run at once. Each reads its partitions one after the other.
        records = records.coalesce(spark.sparkContext.defaultParallelism)
    # The state files say what was processed: Spark's own checkpoint of the last run is useless.
    shutil.rmtree(plan.checkpoint, ignore_errors=True)
    query = (
        records.mapInArrow(lambda batches: task(batches), TALLY)
        .writeStream.foreachBatch(_gathering(watch.tally))
        .option("checkpointLocation", str(plan.checkpoint))
        .trigger(processingTime=f"{plan.trigger_s} seconds")
        .start()
    )
    more = ""
    while not watch.stop.wait(_POLL_S):
        if (fault := query.exception()) is not None:
            raise StoreUnavailable(f"Spark's query has ended: {message_of(fault)}")
        watch.lag(lag(query.lastProgress))
        if watch.partitions() > len(begins):
            more = f"{kafka.topic} has {watch.partitions()} partitions, and had {len(begins)}"
            break
    # Let the current batch end: if cancelled, it would only be processed again.
    waited = 0.0
    while query.status["isTriggerActive"] and waited < _STOP_S:
        threading.Event().wait(_POLL_S)
        waited += _POLL_S
    with suppress(PySparkException):
        query.stop()
    if more:
        raise StoreUnavailable(more)


def lag(progress: Mapping[str, Any] | None) -> int:
    """Return how many records the last batch lagged behind, from Spark's progress report."""
    if not progress:
        return 0
    behind = 0
    for source in progress.get("sources", ()):
        metrics = source.get("metrics") or {}
        with suppress(ValueError):
            behind += int(float(metrics.get("maxOffsetsBehindLatest", 0)))
    return behind


def source_options(kafka: KafkaSettings, source: PartitionSource) -> Mapping[str, str]:
    """Return the options with which Spark reads *source*. Raises `Misconfigured`."""
    first = _OLDEST if source.first is None else source.first
    return {
        **connection(kafka),
        "assign": json.dumps({kafka.topic: [source.partition]}),
        "startingOffsets": json.dumps({kafka.topic: {str(source.partition): first}}),
        "failOnDataLoss": "true",
        "kafka.fetch.max.wait.ms": str(_FETCH_WAIT_MS),
        "maxOffsetsPerTrigger": str(source.most),
    }


def package(folder: Path) -> Path:
    """Write this package to a zip file in *folder*, which Spark ships to remote executors."""
    root = Path(__file__).parents[1]
    target = folder / "analytics.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, Path("analytics") / path.relative_to(root))
    return target


def _gathering(tally: Callable[[Sequence[Any], float], None]) -> Callable[[DataFrame, int], None]:
    def gather(batch: DataFrame, _number: int) -> None:
        began = time.monotonic()
        rows = batch.collect()
        tally(rows, time.monotonic() - began)

    return gather


def message_of(fault: BaseException) -> str:
    """Return the message of *fault*, or that of the worker's error inside it if there is one."""
    text = str(fault).strip()
    ours = _OURS.search(text)
    return ours[1] if ours else text.partition("\n")[0][:400]
