"""A whole cluster, once around: a hit goes in at one replica and is counted at the other."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path

import httpx2
import pytest
from tests.cluster.load import BROWSER, asked, asking
from tests.cluster.replicas import replicas
from tests.real import PATIENCE_S, machine_in

pytestmark = [pytest.mark.cluster, pytest.mark.smoke, pytest.mark.timeout(1800)]

SITE = "smoke.example"


async def test_a_hit_at_one_replica_is_counted_at_the_other_and_the_audit_is_clean(
    tmp_path: Path,
) -> None:
    machine = machine_in(tmp_path)
    try:
        status = await machine.up()
        first, second = replicas(status)
        await first.command("site", "add", SITE)
        key = json.loads(
            await first.command("key", "create", "--site", SITE, "--scope", "stats:read", "--json")
        )["key"]
        hit = {
            "n": "pageview",
            "u": f"https://{SITE}/pricing",
            "d": SITE,
            "id": str(uuid.uuid4()),
            "vid": "visitor-1",
        }
        async with httpx2.AsyncClient(timeout=30) as client:
            reply = await client.post(
                f"{first.url}/api/event", json=hit, headers={"User-Agent": BROWSER}
            )
        assert reply.status_code == 202, reply.text
        await second.settled(1)
        async with asyncio.timeout(PATIENCE_S):  # the site may be new to it yet
            while (answer := await asked(second.url, key, SITE))["results"][0]["metrics"] != [1]:
                await asyncio.sleep(0.5)
        assert "as_of" not in answer["meta"]
        for never in ("0-99999", "7-0", "4000-0"):
            refused = await asking(second.url, key, SITE, wait=never)
            assert (refused.status_code, refused.json()["field"]) == (400, "wait")
        (audited,) = (await second.balance())["sites"]
        assert (audited["site"], audited["received"], audited["stored"]) == (SITE, 1, 1)
    finally:
        machine.down()
    assert machine.processes.all() == []
