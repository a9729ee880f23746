"""All of a cluster: hits go into one replica and come out of another, whatever dies meanwhile.

Of each server there is one, so that there is none to take its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx2
import pytest
from tests.cluster.load import OUTAGE_S, load_on, revive, sound
from tests.real import PATIENCE_S, family, kill, machine_in

from analytics.localcluster.launcher import LocalCluster

pytestmark = [pytest.mark.cluster, pytest.mark.drill, pytest.mark.timeout(1800)]

SITE = "whole.example"


async def spooled(url: str) -> int:
    """How many hits a replica has to itself."""
    async with httpx2.AsyncClient() as client:
        told = (await client.get(f"{url}/metrics")).text
    (line,) = [line for line in told.splitlines() if line.startswith("analytics_spool_records ")]
    return int(float(line.split()[1]))


async def gone(machine: LocalCluster, name: str) -> None:
    """Return when a process has ended by itself, for something else to start it again."""
    process = machine.processes.find(name)
    assert process is not None
    async with asyncio.timeout(PATIENCE_S):
        while process.alive:
            await asyncio.sleep(0.1)


async def test_no_hit_is_lost_though_the_log_the_job_or_a_replica_dies(tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    try:
        status = await machine.up()
        assert status.healthy
        assert status.front is not None, "install haproxy"
        async with load_on(status, SITE) as load:
            kill(machine, "kafka-1")
            await load.during(OUTAGE_S)
            status = await revive(machine)
            await load.more(300)
            orphans = family(machine, "spark-job")
            kill(machine, "spark-job")
            await load.more(1_000)
            status = await revive(machine)
            assert not any(each.alive for each in orphans)
            await load.more(300)
            (java,) = [each for each in family(machine, "spark-job") if each.name == "java"]
            os.kill(java.pid, signal.SIGKILL)
            await load.more(1_000)
            await gone(machine, "spark-job")
            status = await revive(machine)
            await load.more(300)
            assert (load.refused, load.unanswered) == ([], 0)
            kill(machine, "kafka-1")
            await load.during(OUTAGE_S)
            assert await spooled(status.replicas[0]) > 0
            kill(machine, "replica-1")
            await load.more(1_000)
            status = await revive(machine)
            await load.more(300)
        assert load.refused == []
        await sound(status, load)
    finally:
        machine.down()
    assert machine.processes.all() == []
