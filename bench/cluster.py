"""How fast a cluster on this machine drains a backlog, and where the time goes.

    python bench/cluster.py [RECORDS] [--replicas N]

Starts Kafka, Cassandra and Ignite, appends RECORDS (default 2,000,000) to the log, then starts
the stream job and waits until every chunk is folded, then until Cassandra has confirmed them.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from msgspec import structs

from analytics.event import Hit, LogRecord
from analytics.localcluster import plan
from analytics.localcluster.configuration import resolved
from analytics.localcluster.launcher import LocalCluster
from analytics.settings import ClusterSettings, Settings
from analytics.stream.kafka.log import KafkaLog
from analytics.testing import sample

UNTIL = 1_795_521_600_000
PATTERN = re.compile(r"^(analytics_job_\w+?)(?:_total)?(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def traffic(count: int) -> list[LogRecord]:
    """About *count* records of ten sites, in the order of the log."""
    base: list[LogRecord] = []
    for number in range(10):
        base += sample.records(
            f"site{number}.example", until=UNTIL, days=1, a_day=count // 40, seed=number
        )
    base.sort(key=lambda record: record.received_at)
    return base


def copies(base: list[LogRecord], count: int) -> list[LogRecord]:
    """*count* records: *base* again and again, each time with other people and other ids."""
    made: list[LogRecord] = []
    turn = 0
    while len(made) < count:
        turn += 1
        for record in base[: count - len(made)]:
            if turn > 1 and isinstance(record, Hit):
                head = int(record.event_id[:8], 16) ^ turn
                record = structs.replace(
                    record,
                    event_id=f"{head:08x}{record.event_id[8:]}",
                    visitor=record.visitor + (turn << 40),
                )
            made.append(record)
    return made


def metrics(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        return {name: float(value) for name, value in PATTERN.findall(reply.read().decode())}


def cpu_seconds(pid: int) -> float:
    """What a process and all below it have used."""
    total = 0.0
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    todo = [pid]
    while todo:
        each = todo.pop()
        todo += parents.get(each, [])
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / 100
    return total


async def append(settings: Settings, records: list[LogRecord]) -> float:
    began = time.perf_counter()
    async with KafkaLog(settings.kafka) as log:
        for start in range(0, len(records), 2000):
            await log.append(records[start : start + 2000])
    return time.perf_counter() - began


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("records", nargs="?", type=int, default=2_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="analytics-bench-") as folder:
        machine = LocalCluster(
            Settings(data=Path(folder), cluster=ClusterSettings(port_base=0)), print
        )
        try:
            await run(machine, asked.records)
        finally:
            machine.down()


async def run(machine: LocalCluster, count: int) -> None:
    await machine.up(only=("kafka", "cassandra", "ignite"))
    found = plan.load(machine.folder)
    assert found is not None
    settings = resolved(Settings(), found)
    records = copies(traffic(min(count, 100_000)), count)
    took = await append(settings, records)
    print(f"appended {len(records):,} records in {took:.1f} s: {len(records) / took:,.0f}/s")
    del records
    began = time.perf_counter()
    await machine.up(only=("spark-job",))
    print(f"the job was ready after {time.perf_counter() - began:.1f} s")
    pids = {each.name: each.pid for each in machine.processes.all()}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    port = found.spark_metrics
    first = time.perf_counter()
    said = 0.0
    while (done := metrics(port))["analytics_job_records"] < count:
        if done["analytics_job_records"] == 0:
            first = time.perf_counter()
        elif time.perf_counter() - said > 5:
            said = time.perf_counter()
            rate = done["analytics_job_records"] / (said - first or 1)
            print(f"  {done['analytics_job_records']:,.0f} folded, {rate:,.0f}/s", flush=True)
        await asyncio.sleep(0.2)
    drained = time.perf_counter()
    print(
        f"folded {count:,} records in {drained - first:.1f} s after the first batch, and"
        f" {drained - began:.1f} s after the job was started:"
        f" {count / (drained - began):,.0f}/s with its start"
    )
    print(
        f"  workers' time in the fold and its writes: {done['analytics_job_fold_seconds']:.1f} s"
        f" ({done['analytics_job_fold_seconds'] / count * 1e6:.0f} us a record);"
        f" {done['analytics_job_batch_seconds_count']:.0f} batches"
    )
    for name, pid in pids.items():
        print(f"  {name}: {cpu_seconds(pid) - before[name]:.1f} CPU seconds")
    while metrics(port)["analytics_job_outbox_bytes"] > 0:
        await asyncio.sleep(0.2)
    print(f"confirmed by Cassandra {time.perf_counter() - drained:.1f} s later")


if __name__ == "__main__":
    asyncio.run(main())
