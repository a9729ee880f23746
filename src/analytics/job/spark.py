"""Spark's part: it follows the topic, and hands each partition's new records to a worker."""

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
"""How long a broker may hold a fetch back until there is something to fetch.

It reads one request of a connection after the other, and a consumer that has read all sends its
next fetch at once: whatever the next batch asks first would wait behind it, half a second by
default.
"""
_OLDEST: Final = -2
"""An offset in Spark's own notation."""
_STOP_S: Final = 60.0
_LOOK_S: Final = 0.5
_OURS: Final = re.compile(r"^analytics\.errors\.\w+: (.+)$", re.MULTILINE)
"""The last line of a traceback in Python."""


class StreamPlan(NamedTuple):
    """How the query is to run."""

    master: str
    checkpoint: Path
    jars: Sequence[Path]
    memory_mib: int
    trigger_s: float
    max_offsets: int = _MAX_OFFSETS
    """Records of one batch; more only make a backlog's batches longer."""


class PartitionSource(NamedTuple):
    """One partition of the topic, which Spark reads as a stream of its own.

    Spark shares one stream's limit by backlog, so that a partition with few records gets one or two
    of them in each batch for as long as another has many.
    """

    partition: int
    first: int | None
    """The offset to begin with; None for the oldest that the log has."""
    most: int
    """Records of it in one batch."""


class StreamObserver(NamedTuple):
    """Who looks on, and may stop it."""

    tally: Callable[[Sequence[Any], float], None]
    """Told what the tasks of a batch tell, and how many seconds it took."""
    lag: Callable[[int], None]
    """Told now and then how many records wait."""
    partitions: Callable[[], int]
    """Tells how many partitions the topic has, as far as is known."""
    stop: threading.Event


def is_local(master: str) -> bool:
    """Whether all of that Spark runs on this machine, started by us."""
    return master.startswith("local")


@contextmanager
def running(plan: StreamPlan) -> Iterator[SparkSession]:
    """A Spark of our own, while the block runs. Raises `Unavailable` when its Java dies."""
    spark = session(plan)
    try:
        yield spark
    except (Py4JNetworkError, ConnectionError) as exc:
        raise Unavailable("Spark's Java has ended: start the job again, it goes on") from exc
    finally:
        with suppress(Py4JError, ConnectionError):
            spark.stop()


def session(plan: StreamPlan) -> SparkSession:
    """A Spark of our own, as small as it can be."""
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
        # Questions of replicas run beside the stream, in a pool of their own.
        "spark.scheduler.mode": "FAIR",
        "spark.log.level": "WARN",
        **(_LOCAL if is_local(plan.master) else {}),
    }
    # Without this, PySpark has executors run whatever `python3` is on their PATH.
    if is_local(plan.master):
        os.environ["PYSPARK_PYTHON"] = sys.executable
    else:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("analytics").master(plan.master)
    for name, value in options.items():
        builder = builder.config(name, str(value).lower() if isinstance(value, bool) else value)
    spark = builder.getOrCreate()
    if not is_local(plan.master):
        # Only spark-submit heeds this setting; a driver that is a Python program has to itself.
        if named := spark.sparkContext.getConf().get("spark.pyspark.python"):
            spark.sparkContext.pythonExec = named
        spark.sparkContext.addPyFile(str(package(plan.checkpoint.parent)))
    return spark


def _emptied(folder: Path) -> Path:
    """*folder* with nothing in it: a Java that was killed leaves there what it had in use."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


_LOCAL: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def scatter(
    spark: SparkSession, shares: Sequence[QueryTask], *, at_most_s: float
) -> Sequence[TaskResult]:
    """Have a task of Spark's reckon each of *shares*, beside what the stream does.

    Raises `QueryTooLong` when that takes longer than it may, `StoreUnavailable` when Spark fails.
    """
    context = spark.sparkContext
    group = f"question-{uuid4().hex}"
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        context.cancelJobGroup(group)

    timer = threading.Timer(at_most_s, give_up)
    timer.start()
    fault: Exception | None = None
    reckoned: Sequence[TaskResult] = ()
    try:
        context.setLocalProperty("spark.scheduler.pool", "questions")
        context.setJobGroup(group, "a question of a replica's", interruptOnCancel=True)
        reckoned = context.parallelize(shares, len(shares)).map(execute).collect()
    except (PySparkException, Py4JError) as exc:
        fault = exc
    finally:
        timer.cancel()
    if expired.is_set():
        raise QueryTooLong(
            f"The answer took longer than {at_most_s:g} s in Spark, and was given up. Ask for a"
            " shorter period, or raise spark.question_timeout_s."
        ) from fault
    if fault is not None:
        raise StoreUnavailable(f"Spark has failed: {said(fault)}") from fault
    return reckoned


def follow(
    spark: SparkSession,
    plan: StreamPlan,
    kafka: KafkaSettings,
    begins: Mapping[int, int | None],
    task: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    watch: StreamObserver,
) -> None:
    """Follow the topic until it is stopped, and end between two batches.

    *begins* has for each of its partitions the offset to begin with; None is the oldest.

    Raises `StoreUnavailable` when the query fails, or the topic gets more partitions: to start
    again is always right, because what was folded is remembered.
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
        # A task takes longer to begin than to fold what comes in a second: no more of them than
        # can run at once. Each reads its partitions one after the other, in their order.
        records = records.coalesce(spark.sparkContext.defaultParallelism)
    # What was folded is in the memories: what Spark has noted of the last run is of no use.
    shutil.rmtree(plan.checkpoint, ignore_errors=True)
    query = (
        records.mapInArrow(lambda batches: task(batches), TALLY)
        .writeStream.foreachBatch(_gathering(watch.tally))
        .option("checkpointLocation", str(plan.checkpoint))
        .trigger(processingTime=f"{plan.trigger_s} seconds")
        .start()
    )
    more = ""
    while not watch.stop.wait(_LOOK_S):
        if (fault := query.exception()) is not None:
            raise StoreUnavailable(f"Spark's query has ended: {said(fault)}")
        watch.lag(lag(query.lastProgress))
        if watch.partitions() > len(begins):
            more = f"{kafka.topic} has {watch.partitions()} partitions, and had {len(begins)}"
            break
    # Let the batch under way end; were it cut off, it would only be folded again.
    waited = 0.0
    while query.status["isTriggerActive"] and waited < _STOP_S:
        threading.Event().wait(_LOOK_S)
        waited += _LOOK_S
    with suppress(PySparkException):
        query.stop()
    if more:
        raise StoreUnavailable(more)


def lag(progress: Mapping[str, Any] | None) -> int:
    """By how many records the last batch was behind the log, from what Spark tells of it."""
    if not progress:
        return 0
    behind = 0
    for source in progress.get("sources", ()):
        metrics = source.get("metrics") or {}
        with suppress(ValueError):
            behind += int(float(metrics.get("maxOffsetsBehindLatest", 0)))
    return behind


def source_options(kafka: KafkaSettings, source: PartitionSource) -> Mapping[str, str]:
    """How Spark reads *source*."""
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
    """This package as a file that Spark ships to executors elsewhere."""
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
        tasks = batch.collect()
        tally(tasks, time.monotonic() - began)

    return gather


def said(fault: BaseException) -> str:
    """What *fault* says: our own sentence, if a worker's error is somewhere in it."""
    text = str(fault).strip()
    ours = _OURS.search(text)
    return ours[1] if ours else text.partition("\n")[0][:400]
