"""Each partition of the topic has its own share of a batch, whatever waits in the others."""

from __future__ import annotations

import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from aiokafka import AIOKafkaProducer
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from analytics.errors import StoreUnavailable
from analytics.job import spark
from analytics.localcluster.jars import Jars
from analytics.settings import KafkaSettings, Settings
from analytics.stream.kafka import topic
from analytics.stream.kafka.connection import options

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]

PARTITIONS = 4
MOST = 1_000
BUSY, QUIET = 0, 1
WAITING = {BUSY: 5_000, QUIET: 20}


def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Tell how many records there are of each partition, in the place of folding them."""
    for batch in batches:
        for each in batch.column("partition").value_counts().to_pylist():
            told = [each["values"]], [each["counts"]], [0], [0], [True], [b""]
            types = pa.int32(), pa.int64(), pa.int64(), pa.int64(), pa.bool_(), pa.binary()
            columns = [pa.array(value, type=kind) for value, kind in zip(told, types, strict=True)]
            names = ["partition", "records", "rows", "took_ms", "sent", "dead"]
            yield pa.RecordBatch.from_arrays(columns, names=names)


class Batches:
    """What each batch had of each partition; it stops the query after so many records."""

    def __init__(self, records: int) -> None:
        self._records = records
        self.stop = threading.Event()
        self.seen: list[Counter[int]] = []

    def __call__(self, tasks: Sequence[Any], _seconds: float) -> None:
        batch: Counter[int] = Counter()
        for each in tasks:
            batch[each.partition] += each.records
        if batch:
            self.seen.append(batch)
        if sum(self.seen, Counter()).total() >= self._records:
            self.stop.set()


@pytest.fixture
async def log(kafka: Settings) -> KafkaSettings:
    """A topic in which much waits in one partition, and little in another."""
    name = f"test.{uuid.uuid4().hex[:8]}"
    settings = kafka.kafka.model_copy(update={"topic": name, "partitions": PARTITIONS})
    await topic.ensure(settings)
    async with AIOKafkaProducer(**options(settings, client="test")) as producer:
        for partition, count in WAITING.items():
            for _ in range(count):
                await producer.send(name, b"any record", partition=partition)
    return settings


@pytest.fixture(scope="module")
def plan(kafka: Settings, tmp_path_factory: pytest.TempPathFactory) -> spark.StreamPlan:
    return spark.StreamPlan(
        master="local[2]",
        checkpoint=tmp_path_factory.mktemp("spark") / "checkpoint",
        jars=sorted(Jars(kafka.cluster, print).of("spark").glob("*.jar")),
        memory_mib=512,
        trigger_s=0.1,
        max_offsets=MOST,
    )


@pytest.fixture(scope="module")
def session(plan: spark.StreamPlan) -> Iterator[SparkSession]:
    session = spark.session(plan)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Spark's workers have no tests
    yield session
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    session.stop()


def watch(batches: Batches, *, partitions: int = PARTITIONS) -> spark.StreamObserver:
    return spark.StreamObserver(
        tally=batches, lag=lambda _: None, partitions=lambda: partitions, stop=batches.stop
    )


def test_a_partition_with_few_records_does_not_wait_for_one_with_many(
    session: SparkSession, plan: spark.StreamPlan, log: KafkaSettings
) -> None:
    batches = Batches(sum(WAITING.values()))
    begins = dict.fromkeys(range(PARTITIONS))
    spark.follow(session, plan, log, begins, counted, watch(batches))
    assert batches.seen[0] == {BUSY: MOST // PARTITIONS, QUIET: WAITING[QUIET]}
    assert sum(batches.seen, Counter()) == WAITING


def test_it_begins_where_it_is_told(
    session: SparkSession, plan: spark.StreamPlan, log: KafkaSettings
) -> None:
    batches = Batches(45)
    begins = {BUSY: WAITING[BUSY] - 40, QUIET: WAITING[QUIET] - 5, 2: None, 3: 0}
    spark.follow(session, plan, log, begins, counted, watch(batches))
    assert sum(batches.seen, Counter()) == {BUSY: 40, QUIET: 5}


def test_more_partitions_are_not_overlooked(
    session: SparkSession, plan: spark.StreamPlan, log: KafkaSettings
) -> None:
    batches = Batches(sum(WAITING.values()))
    begins = dict.fromkeys(range(PARTITIONS))
    with pytest.raises(StoreUnavailable, match=f"has {PARTITIONS + 1} partitions, and had"):
        spark.follow(
            session,
            plan,
            log,
            begins,
            counted,
            watch(batches, partitions=PARTITIONS + 1),
        )
