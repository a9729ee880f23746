"""What is erased through one replica is gone everywhere, for good, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import pytest
from cassandra.cluster import Cluster
from tests.real import PATIENCE_S, kill, machine_in, once_settled, settings_of

from analytics.admin.sites import ChangeSite, SiteShown
from analytics.cli.run import run
from analytics.event import Hit
from analytics.job.upkeep import audit
from analytics.localcluster.launcher import ClusterStatus, LocalCluster
from analytics.settings import Settings, load
from analytics.store.chunks import arrow, codec
from analytics.store.chunks.ignite import IgniteChunks
from analytics.store.duckdb import DuckDBStore
from analytics.store.replica.remote_query_client import RemoteQueryClient
from analytics.store.replica.store import ReplicaStore
from analytics.stream.kafka.log import KafkaLog
from analytics.visitor_id import from_cookie

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

SITE, OTHER, OLD = "erased.example", "other.example", "old.example"
DAY = 86_400_000


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalCluster]:
    machine = machine_in(tmp_path)
    try:
        yield machine
    finally:
        machine.down()


class Replica:
    """One of the cluster's, by its commands and its address."""

    def __init__(self, status: ClusterStatus, number: int) -> None:
        self._config = Path(status.config)
        self._data = self._config.parent / f"replica-{number}"
        self.url = list(status.replicas)[number - 1]

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "analytics", *arguments),
            *("--config", str(self._config), "--data", str(self._data)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def done(self, *arguments: str) -> str:
        code, out, err = await once_settled(lambda: self.command(*arguments))
        assert code == 0, out + err
        return out

    async def keep(self, site: str, *, days: int) -> None:
        """As the site's settings page does."""
        given = load(self._config, {"data": str(self._data)})
        asked = ChangeSite(site=site, retention_days=days)
        await asyncio.to_thread(run, given, "site.change", asked, SiteShown)

    async def visitors(self, site: str) -> set[int]:
        """Whose events it has."""
        out = await self.done("export", "--site", site, "--format", "ndjson")
        return {json.loads(line)["visitor"] for line in out.splitlines()}

    async def shows(self, site: str, wanted: set[int]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.visitors(site) != wanted:
                await asyncio.sleep(0.2)

    async def send(self, site: str, people: Sequence[str], ids: Sequence[str]) -> None:
        async with httpx2.AsyncClient(timeout=30) as client:
            for person, event_id in zip(people, ids, strict=True):
                body = {
                    "n": "pageview",
                    "u": f"https://{site}/",
                    "d": site,
                    "id": event_id,
                    "vid": person,
                }
                reply = await client.post(f"{self.url}/api/event", json=body)
                assert reply.status_code == 202


def in_cassandra(settings: Settings, site: str) -> set[int]:
    """The visitors of *site* in any chunk there, read behind Ignite's back."""
    host, port = settings.cassandra.addresses[0].rsplit(":", 1)
    cluster = Cluster([host], port=int(port), protocol_version=5)
    try:
        rows = cluster.connect(settings.cassandra.keyspace).execute(
            "SELECT chunk_id, payload FROM chunks"
        )
        return {visitor for row in rows for visitor in of_site(row.chunk_id, row.payload, site)}
    finally:
        cluster.shutdown()


def in_ignite(settings: Settings, site: str) -> set[int]:
    """The visitors of *site* in any chunk that Ignite has in memory."""
    shared = IgniteChunks(settings.ignite)
    try:
        return {
            visitor
            for partition in shared.partitions()
            for each in shared.following(partition, 0, 10_000)
            for visitor in of_site(each.chunk_id, each.payload, site)
        }
    finally:
        shared.close()


def of_site(chunk_id: str, payload: bytes, site: str) -> set[int]:
    rows = arrow.to_rows(codec.read(chunk_id, payload).table)
    return {row.visitor for row in rows if row.site == site}


async def gone_for_good(settings: Settings, site: str, wanted: set[int]) -> float:
    """Return when Ignite and Cassandra have the rows of nobody but *wanted*; after how long."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while (
            await asyncio.to_thread(in_ignite, settings, site) != wanted
            or await asyncio.to_thread(in_cassandra, settings, site) != wanted
        ):
            await asyncio.sleep(0.2)
    return time.monotonic() - began


async def a_new_replica(settings: Settings, folder: Path, site: str) -> int:
    """How many rows of *site* a replica has that begins with nothing; its ledger must balance."""
    async with KafkaLog(settings.kafka) as log:
        ends = {end.partition: end.offset for _, end in await log.ends()}
    folder.mkdir()
    replica = ReplicaStore(
        IgniteChunks(settings.ignite),
        DuckDBStore(folder / "store.duckdb"),
        folder / "incoming",
        partitions=settings.kafka.partitions,
        clock=lambda: time.time_ns() // 1_000_000,
        history=RemoteQueryClient(settings.spark),
    )
    async with replica:
        async with asyncio.timeout(PATIENCE_S):
            await replica.follower.reached(ends)
        ledger, rows = await replica.ledger(), await replica.recount()
    assert {k: n for k, line in ledger.items() if (n := line.stored - line.erased)} == rows
    return sum(count for key, count in rows.items() if key.site == site)


async def is_accounted_for(settings: Settings, replicas: Sequence[Replica]) -> None:
    async with asyncio.timeout(PATIENCE_S):  # for Ignite to write behind
        while (audited := await audit.run(settings)).faults:
            await asyncio.sleep(1)
    assert audited.balanced
    for replica in replicas:
        assert json.loads(await replica.done("audit", "--json"))["faults"] == []


async def test_what_is_erased_is_gone_everywhere_for_good(
    machine: LocalCluster, tmp_path: Path
) -> None:
    status = await machine.up()
    settings = settings_of(machine)
    one, two = replicas = Replica(status, 1), Replica(status, 2)
    for site in (SITE, OTHER, OLD):
        await one.done("site", "add", site)
        # The other looks for the newest, and knows the site from then on.
        assert "already" in (await two.command("site", "add", site))[2]
    people = ["ada", "bob", "eve"]
    ada, bob, eve = (from_cookie(SITE, person) for person in people)
    ids = [[str(uuid.uuid4()) for _ in range(30)] for _ in replicas]
    for replica, theirs in zip(replicas, ids, strict=True):
        await replica.send(SITE, people * 10, theirs)
    await one.send(OTHER, people, [str(uuid.uuid4()) for _ in people])
    for replica in replicas:
        await replica.shows(SITE, {ada, bob, eve})
    await gone_for_good(settings, SITE, {ada, bob, eve})

    # What retention lets go.
    now = time.time_ns() // 1_000_000
    hits = [
        Hit(
            event_id=str(uuid.uuid4()),
            site=OLD,
            ts=now - age * DAY,
            received_at=now,
            visitor=age + 1,
        )
        for age in range(10)
    ]
    async with KafkaLog(settings.kafka) as log:
        await log.append(hits)
    await one.shows(OLD, {each.visitor for each in hits})
    await one.keep(OLD, days=5)
    left = {each.visitor for each in hits if each.ts >= (now - 5 * DAY) // DAY * DAY}
    for replica in replicas:
        await replica.shows(OLD, left)
    await gone_for_good(settings, OLD, left)
    assert await a_new_replica(settings, tmp_path / "newest", OLD) == len(left)

    # A visitor, while the job dies as soon as it has the order.
    erase = ("erase", "--site", SITE, "--yes", "--json")
    began = time.monotonic()
    erased = json.loads(await one.done(*erase, "--cookie", "ada"))
    print(f"one visitor: the command took {time.monotonic() - began:.1f} s")
    kill(machine, "spark-job")
    assert erased["rows"] == 20
    assert await one.visitors(SITE) == {bob, eve}
    began = time.monotonic()
    await two.shows(SITE, {bob, eve})
    print(f"the other replica: {time.monotonic() - began:.1f} s after it")
    await machine.up()
    took = await gone_for_good(settings, SITE, {bob, eve})
    print(f"Ignite and Cassandra: {took:.1f} s after the job came back")
    assert json.loads(await two.done(*erase, "--cookie", "ada"))["rows"] == 0

    # Sent again, it is a copy.
    await two.send(SITE, people * 10, ids[0])
    kill(machine, "ignite-1")  # with all of its memory
    await machine.up()
    await one.send(SITE, ["late"], [str(uuid.uuid4())])
    late = from_cookie(SITE, "late")
    for replica in replicas:
        await replica.shows(SITE, {bob, eve, late})
    await gone_for_good(settings, SITE, {bob, eve, late})
    assert await a_new_replica(settings, tmp_path / "new", SITE) == 41
    await is_accounted_for(settings, replicas)

    # Kafka is away: nothing is promised.
    kill(machine, "kafka-1")
    code, _, err = await one.command(*erase, "--everything")
    assert (code != 0, "Kafka" in err) == (True, True), err
    await machine.up()

    # All of a site.
    async with asyncio.timeout(PATIENCE_S):
        while (found := await one.command(*erase, "--everything"))[0]:
            await asyncio.sleep(1)
    assert json.loads(found[1])["rows"] == 41
    for replica in replicas:
        await replica.shows(SITE, set())
        assert len(await replica.visitors(OTHER)) == 3
    await gone_for_good(settings, SITE, set())
    assert await a_new_replica(settings, tmp_path / "newer", SITE) == 0
    await is_accounted_for(settings, replicas)
