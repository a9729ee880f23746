"""kill -9 of each part of a cluster under load: no hit is lost or doubled, and none is refused.

One cluster of three brokers and two Ignite nodes goes through all of it, one drill after the other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cluster.load import OUTAGE_S, asked, command, load_on, revive, sound
from tests.real import PATIENCE_S, kill, machine_in, settings_of

from analytics.localcluster.launcher import LocalCluster
from analytics.store.chunks.cassandra import CassandraChunks
from analytics.store.chunks.ignite import IgniteChunks

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster in which one of each kind may fail."""
    machine = machine_in(tmp_path_factory.mktemp("cluster"))
    try:
        asyncio.run(machine.up(kafka_nodes=3, ignite_nodes=2))
        yield machine
    finally:
        machine.down()


async def test_a_broker_of_three(cluster: LocalCluster) -> None:
    status = await cluster.status()
    async with load_on(status, "broker.example") as load:
        kill(cluster, "kafka-2")
        await load.more(2_000)
        status = await revive(cluster)
        await load.more(300)
    assert (load.refused, load.unanswered) == ([], 0)
    await sound(status, load)


async def test_a_node_of_ignite(cluster: LocalCluster) -> None:
    status = await cluster.status()
    async with load_on(status, "node.example") as load:
        kill(cluster, "ignite-1")
        await load.more(2_000)
        status = await revive(cluster)
        await load.more(300)
    assert (load.refused, load.unanswered) == ([], 0)
    await sound(status, load)


def in_ignite(machine: LocalCluster) -> set[str]:
    """The ids of the chunks that Ignite has in memory."""
    settings = settings_of(machine)
    shared = IgniteChunks(settings.ignite)
    try:
        return {
            head.chunk_id
            for partition in range(settings.kafka.partitions)
            for head in shared.heads(partition)
        }
    finally:
        shared.close()


def lacking(machine: LocalCluster, ids: set[str]) -> set[str]:
    """Those of *ids* that Cassandra does not have."""
    kept = CassandraChunks(settings_of(machine).cassandra)
    try:
        return ids - kept.rows(sorted(ids)).keys()
    finally:
        kept.close()


async def test_both_nodes_of_ignite_with_writes_that_cassandra_did_not_get(
    cluster: LocalCluster,
) -> None:
    status = await cluster.status()
    site = "nodes.example"
    async with load_on(status, site) as load:
        said = await command(
            status, 1, "key", "create", "--site", site, "--scope", "stats:read", "--json"
        )
        key = json.loads(said)["key"]
        for url in status.replicas:
            await until(lambda answer: events(answer) > 0, url, key, site)
        kill(cluster, "cassandra")
        before = in_ignite(cluster)
        while not (fresh := in_ignite(cluster) - before):
            await load.more(100)
        kill(cluster, "ignite-1")
        kill(cluster, "ignite-2")
        await load.more(500)
        for url in status.replicas:
            answer = await until(lambda answer: "as_of" in answer["meta"], url, key, site)
            assert events(answer) > 0, "what is here is answered all the same"
        await cluster.up(only=["cassandra"])
        assert lacking(cluster, fresh) == fresh
        print(f"Cassandra lacks {len(fresh)} chunks, {len(before)} were there before")
        status = await revive(cluster)
        await load.more(300)
    assert (load.refused, load.unanswered) == ([], 0)
    await sound(status, load)


async def until(
    condition: Callable[[dict[str, Any]], bool], url: str, key: str, site: str
) -> dict[str, Any]:
    """What the replica at *url* answers as soon as that meets *condition*."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition(answer := await asked(url, key, site)):
            await asyncio.sleep(0.5)
    return answer


def events(answer: dict[str, Any]) -> int:
    return int(answer["results"][0]["metrics"][0])


async def test_cassandra(cluster: LocalCluster) -> None:
    status = await cluster.status()
    async with load_on(status, "cassandra.example") as load:
        kill(cluster, "cassandra")
        await load.during(OUTAGE_S)
        status = await revive(cluster)
        await load.more(300)
    assert (load.refused, load.unanswered) == ([], 0)
    await sound(status, load)


async def test_a_replica(cluster: LocalCluster) -> None:
    status = await cluster.status()
    async with load_on(status, "replica.example") as load:
        kill(cluster, "replica-1")
        await load.more(1_000)
        status = await revive(cluster)
        await load.more(300)
    assert load.refused == []
    await sound(status, load)
