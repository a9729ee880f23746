"""A question's shares, reckoned by real tasks of Spark's, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from pyspark.sql import SparkSession
from tests.job.query.test_coordinator import none

from analytics.errors import QueryTooLong, StoreUnavailable
from analytics.job import spark
from analytics.job.query.coordinator import QueryCoordinator, TaskContext
from analytics.query import Metric, Period, Query
from analytics.settings import CassandraSettings, IgniteSettings
from analytics.store.chunks.chunk import ChunkHead, ChunkKind
from analytics.store.replica.remote_query import RemoteQuery
from analytics.testing.builders import NOON, SITE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

QUESTION = RemoteQuery(
    query=Query(site=SITE, metrics=(Metric.EVENTS,), period=Period(NOON, NOON + 1, "Etc/UTC")),
    ends={0: 5, 1: 5},
    kept_since=0,
)
NOBODY = IgniteSettings(addresses=("127.0.0.1:9",))


class Index:
    """A chunk of each partition."""

    def heads(self, partition: int) -> list[ChunkHead]:
        return [ChunkHead(f"c{partition}", ChunkKind.FRESH, "", 0, partition, 0, 4, 5, 1)]

    def refresh(self) -> None:
        pass


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    plan = spark.StreamPlan(
        master="local[2]",
        checkpoint=tmp_path_factory.mktemp("spark") / "checkpoint",
        jars=(),
        memory_mib=512,
        trigger_s=1,
    )
    session = spark.session(plan)
    yield session
    session.stop()


def test_what_a_task_lacks_is_said_in_its_own_words(session: SparkSession) -> None:
    spread = partial(spark.scatter, session, at_most_s=300)
    asking = QueryCoordinator(Index(), none, spread, TaskContext(NOBODY, CassandraSettings(), 128))
    with pytest.raises(StoreUnavailable, match=r"^Ignite does not answer"):
        asking.answer(QUESTION)


def test_a_question_that_takes_too_long_is_given_up(session: SparkSession) -> None:
    spread = partial(spark.scatter, session, at_most_s=0)
    asking = QueryCoordinator(Index(), none, spread, TaskContext(NOBODY, CassandraSettings(), 128))
    with pytest.raises(QueryTooLong, match="longer than 0 s in Spark"):
        asking.answer(QUESTION)


def test_a_query_that_meets_a_job_that_stops_is_refused_as_such(session: SparkSession) -> None:
    session.stop()
    scatter = partial(spark.scatter, session, at_most_s=300)
    context = TaskContext(NOBODY, CassandraSettings(), 128)
    with pytest.raises(StoreUnavailable, match="is stopping"):
        QueryCoordinator(Index(), none, scatter, context).answer(QUESTION)
