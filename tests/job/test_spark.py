"""The job as Spark runs it: on servers that are closed to others, and on a Spark elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tests import configuration
from tests.authority import Identity
from tests.job.programs import count_records, name_interpreter
from tests.real import PATIENCE_S
from tests.secured import Started, by_certificate, by_scram
from tests.spark import StandaloneSpark, free_port

import analytics
from analytics.event import Hit
from analytics.job.upkeep import audit
from analytics.localcluster.plan import HOST
from analytics.localcluster.process import LaunchCommand, ManagedProcesses
from analytics.settings import KafkaSettings, Settings
from analytics.store.chunks import arrow, chunk, codec
from analytics.store.chunks.ignite import IgniteChunks
from analytics.stream.kafka.connection import options
from analytics.stream.kafka.log import KafkaLog
from analytics.testing.builders import numbered_hit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


class RunningJob:
    """`analytics spark-job`, as a process."""

    def __init__(self, folder: Path, settings: Settings, environment: dict[str, str]) -> None:
        self.data = folder / "job"
        self.data.mkdir(parents=True, exist_ok=True)
        self._processes = ManagedProcesses(folder)
        self._port = settings.spark.port
        self._command = LaunchCommand(
            arguments=[
                *(sys.executable, "-m", "analytics", "spark-job", "--data", str(self.data)),
                *("--config", str(configuration.write(folder / "analytics.toml", settings))),
            ],
            folder=folder,
            environment=environment,
        )

    def start(self) -> None:
        self._process = self._processes.start("spark-job", self._command)

    def end(self, grace_s: float = 60) -> None:
        self._processes.end([self._process], grace_s)

    def said(self) -> str:
        """What it says of itself: "ok", or why it folds nothing."""
        connection = HTTPConnection(HOST, self._port, timeout=10)
        try:
            connection.request("GET", "/health/ready")
            answer: str = json.loads(connection.getresponse().read())["checks"]["job"]
        except OSError as exc:
            answer = f"no answer: {exc}"
        finally:
            connection.close()
        return answer

    async def until(self, done: Callable[[], bool]) -> None:
        """Return when *done* is."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await asyncio.to_thread(done):
                    assert self._process.alive
                    await asyncio.sleep(0.3)
        except (TimeoutError, AssertionError):
            print(self.said(), *self._processes.tail("spark-job"), sep="\n")
            raise


@asynccontextmanager
async def running(
    folder: Path, settings: Settings, environment: dict[str, str] | None = None
) -> AsyncIterator[RunningJob]:
    java = shutil.which("java")
    assert java is not None
    home = {"JAVA_HOME": str(Path(java).resolve().parents[1])}
    job = RunningJob(folder, settings, home | (environment or {}))
    job.start()
    try:
        yield job
    finally:
        job.end()


def with_spark(settings: Settings, port: int, **changes: object) -> Settings:
    spark = settings.spark.model_copy(update={"port": port, "trigger_s": 0.5, **changes})
    return settings.model_copy(update={"spark": spark})


def events(settings: Settings) -> Counter[str]:
    """How often each event is in the chunks, as whoever follows them reads them."""
    store = IgniteChunks(settings.ignite)
    found: Counter[str] = Counter()
    try:
        for partition in store.partitions():
            at: int | None = None
            while chunks := chunk.chain(store.following(partition, at or 0, 64), at):
                for each in chunks:
                    table = codec.read(each.chunk_id, each.payload).table
                    found.update(row.event_id for row in arrow.to_rows(table))
                at = chunks[-1].last_offset + 1
    finally:
        store.close()
    return found


def fresh(number: int) -> Hit:
    made = numbered_hit(number)
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return Hit(**fields | {"event_id": str(uuid.uuid4())})


async def test_it_folds_from_and_to_servers_that_are_closed_to_others(
    secured_ignite: Settings, secured_kafka: KafkaSettings, tmp_path: Path
) -> None:
    kafka = by_scram(secured_kafka)
    settings = with_spark(
        secured_ignite.model_copy(update={"kafka": kafka}), free_port(), master="local[1]"
    )
    hits = [fresh(number) for number in range(40)]
    async with KafkaLog(kafka) as log:
        await log.append(hits)
    garbage = uuid.uuid4().bytes
    async with AIOKafkaProducer(**options(kafka, client="test")) as producer:
        await producer.send_and_wait(kafka.topic, garbage, partition=0)
    wanted = {each.event_id for each in hits}
    async with running(tmp_path, settings) as job:
        await job.until(lambda: wanted <= events(settings).keys())
        assert job.said() == "ok"
        await dead_letter(kafka, garbage)
    assert {events(settings)[each] for each in wanted} == {1}


async def dead_letter(kafka: KafkaSettings, payload: bytes) -> None:
    """Return when *payload* is in the topic of dead letters."""
    async with (
        AIOKafkaConsumer(
            kafka.dead_topic, auto_offset_reset="earliest", **options(kafka, client="test")
        ) as consumer,
        asyncio.timeout(PATIENCE_S),
    ):
        async for record in consumer:
            if record.value == payload:
                return


async def test_it_reads_kafka_by_every_way_to_log_in(
    secured_kafka: KafkaSettings, secured_servers: Started, us: Identity, tmp_path: Path
) -> None:
    ways = [
        secured_kafka,
        by_scram(secured_kafka),
        by_certificate(secured_kafka, secured_servers.plan, us),
    ]
    async with KafkaLog(secured_kafka) as log:
        await log.append([numbered_hit(1)])
        there = sum(end.offset for _, end in await log.ends())
    files = [
        configuration.write(tmp_path / f"{n}.toml", Settings(kafka=each))
        for n, each in enumerate(ways)
    ]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, count_records.__file__, *map(str, files)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().split() == [str(there)] * 3


@pytest.mark.parametrize("way", ["setting", "environment", "default"])
async def test_executors_elsewhere_run_the_interpreter_that_is_named_or_else_the_jobs(
    way: str, tmp_path: Path
) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    for wrapper in (named, other):
        wrapper.write_text(
            f'#!/bin/sh\nINTERPRETER={wrapper} exec {shlex.quote(sys.executable)} "$@"\n'
        )
        wrapper.chmod(0o755)
    defaults = {"spark.pyspark.python": str(named)} if way == "setting" else {}
    by_environment = {"setting": other, "environment": named, "default": None}[way]
    with StandaloneSpark(tmp_path / "spark", defaults=defaults) as spark:
        spark.start_worker("worker")
        environment = {
            name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"
        } | {"SPARK_CONF_DIR": str(spark.configuration), "PATH": os.defpath}
        if by_environment is not None:
            environment["PYSPARK_PYTHON"] = str(by_environment)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, name_interpreter.__file__),
            *(spark.master, str(tmp_path / "checkpoint")),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
    wrapper_of_executor, prefix = json.loads(out)
    assert prefix == sys.prefix
    assert wrapper_of_executor == (None if by_environment is None else str(named))


@pytest.fixture(scope="module")
def elsewhere(
    kafka: Settings, ignite: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a job on a Spark elsewhere, with a topic and a memory of its own."""
    topic = kafka.kafka.model_copy(update={"topic": "elsewhere", "partitions": 4})
    memory = tmp_path_factory.mktemp("elsewhere") / "memory"
    memory.mkdir()
    return with_spark(ignite.model_copy(update={"kafka": topic}), free_port(), memory=memory)


class Load:
    """Somebody who appends hits for as long as the block runs, and remembers which."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self.sent: set[str] = set()

    async def __aenter__(self) -> Load:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            hits = [fresh(number) for number in range(20)]
            await self._log.append(hits)
            self.sent.update(each.event_id for each in hits)
            await asyncio.sleep(0.2)

    async def arrived(self, job: RunningJob, settings: Settings, more: int = 200) -> None:
        """Return when *more* hits are sent, and all that were are in chunks."""
        goal = len(self.sent) + more
        while len(self.sent) < goal:
            await asyncio.sleep(0.05)
        wanted = set(self.sent)
        await job.until(lambda: wanted <= events(settings).keys())


async def test_a_spark_elsewhere_folds_once_whatever_of_it_dies(
    elsewhere: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "driver"
    folder.mkdir()
    # Executors have neither the job's folder nor the package: as on another machine.
    hidden = (folder, Path(analytics.__file__).parent)
    with StandaloneSpark(tmp_path / "spark") as spark:
        settings = with_spark(elsewhere, elsewhere.spark.port, master=spark.master)
        one = spark.start_worker("worker-1", hidden=hidden)
        two = spark.start_worker("worker-2", hidden=hidden)
        environment = {"SPARK_CONF_DIR": str(spark.configuration)}
        async with (
            running(folder, settings, environment) as job,
            KafkaLog(settings.kafka) as log,
        ):
            async with Load(log) as load:
                await load.arrived(job, settings)
                print(f"{len(load.sent)} hits are there; an executor is killed")
                for executor in spark.executors(one):
                    os.kill(executor, signal.SIGKILL)
                await load.arrived(job, settings)
                print(f"{len(load.sent)} hits are there; a worker is killed, another begins")
                spark.kill(two)
                spark.start_worker("worker-3", hidden=hidden)
                await load.arrived(job, settings)
                print(f"{len(load.sent)} hits are there; the job is killed")
                job.end(0)
                job.start()
                await load.arrived(job, settings)
            await job.until(lambda: load.sent <= events(settings).keys())
            found = events(settings)
            assert {found[each] for each in load.sent} == {1}
            await balanced(settings)
            print(f"{len(load.sent)} hits were sent, and each is there once")


async def balanced(settings: Settings) -> None:
    """Return when each record of Kafka lies in one chunk, in Ignite as in Cassandra."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await audit.run(settings)).faults:
            print(found.faults)
            await asyncio.sleep(1)


async def test_executors_that_see_another_folder_fold_nothing(
    elsewhere: Settings, tmp_path: Path
) -> None:
    hits = [fresh(number) for number in range(30)]
    async with KafkaLog(elsewhere.kafka) as log:
        await log.append(hits)
    wanted = {each.event_id for each in hits}
    memory = elsewhere.spark.memory
    assert memory is not None
    with StandaloneSpark(tmp_path / "spark") as spark:
        settings = with_spark(elsewhere, elsewhere.spark.port, master=spark.master)
        alone = spark.start_worker("worker-1", hidden=[memory])
        environment = {"SPARK_CONF_DIR": str(spark.configuration)}
        async with running(tmp_path / "driver", settings, environment) as job:
            await job.until(lambda: "set spark.memory to one on a file system" in job.said())
            print(job.said())
            assert not wanted & events(settings).keys()
            spark.kill(alone)
            spark.start_worker("worker-2")
            await job.until(lambda: wanted <= events(settings).keys())
            found = events(settings)
            assert {found[each] for each in wanted} == {1}
