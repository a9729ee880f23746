"""A real access log through a whole cluster: the same figures as one process makes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.cluster.replicas import Replica, replicas
from tests.end_to_end.test_real_log import SITE, counted_by_hand, real_log
from tests.real import machine_in
from tests.server import Folder, Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

MAY = ["2015-05-01", "2015-05-31"]
OF_THE_IMPORT = ("received_at", "visitor")
METRICS = ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration"]
DIMENSIONS = (
    "visit:source",
    "visit:referrer",
    "visit:channel",
    "visit:entry_page",
    "visit:exit_page",
    "visit:device",
    "visit:browser",
    "visit:os",
    "event:page",
    "time:day",
    "time:hour",
)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[list[Replica]]:
    real_log()  # which fails before any server is started for it
    machine = machine_in(tmp_path / "machine")
    try:
        yield replicas(await machine.up())
    finally:
        machine.down()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "embedded" / "data")
    server.data.parent.mkdir()
    await server.command("site", "add", SITE)
    await server.start()
    yield server
    await server.stop()


async def key_of(folder: Folder) -> str:
    created = await folder.command(
        "key", "create", "--site", SITE, "--scope", "stats:read", "--json"
    )
    return str(json.loads(created)["key"])


async def figures(url: str, key: str) -> list[Any]:
    """Every metric by every dimension, and of the whole month."""
    told = []
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        for dimensions in ([], *([each] for each in DIMENSIONS)):
            question = {
                "site_id": SITE,
                "metrics": METRICS,
                "date_range": MAY,
                "dimensions": dimensions,
            }
            reply = await client.post(
                "/api/v2/query", headers={"authorization": f"Bearer {key}"}, json=question
            )
            assert reply.status_code == 200, reply.text
            told.append(reply.json()["results"])
    return told


def comparable(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """*rows* without the time of the import, and what each server's salt of the day makes."""
    return sorted(
        ({name: value for name, value in row.items() if name not in OF_THE_IMPORT} for row in rows),
        key=lambda row: str(row["event_id"]),
    )


async def test_a_real_log_gives_the_same_figures_in_both_modes(
    cluster: list[Replica], embedded: Server
) -> None:
    one, other = cluster
    by_hand = counted_by_hand()
    await one.command("site", "add", SITE)
    for folder in (one, embedded):
        await folder.command("import", "access-log", str(real_log()), "--site", SITE)
    (line,) = (await embedded.balance())["sites"]
    assert line["received"] == by_hand["lines"] - by_hand["unreadable"]
    rows = await embedded.rows(SITE)
    assert sum(row["path"] == "/" for row in rows) == by_hand["root"]
    wanted = await figures(embedded.url, await key_of(embedded))
    key = await key_of(one)
    for replica in (one, other):
        await replica.settled(line["stored"])
        assert (await replica.balance())["sites"] == [line]
        assert comparable(await replica.rows(SITE)) == comparable(rows)
        assert await figures(replica.url, key) == wanted
    print(
        f"{line['received']:,} lines, {line['stored']:,} stored, "
        f"{sum(len(row['metrics']) for result in wanted for row in result):,} figures: the same at"
        " two replicas as in one process"
    )

    # At the other replica, and once more: nothing is added.
    await other.command("import", "access-log", str(real_log()), "--site", SITE)
    for replica in (one, other):
        (again,) = (await replica.balance())["sites"]
        assert (again["stored"], again["duplicate"]) == (line["stored"], line["stored"])
        assert await figures(replica.url, key) == wanted
