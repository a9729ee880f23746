"""Questions in SQL over HTTP, by key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest
import pytest_asyncio
from tests.server import Server

SITE, OTHER = "api.example", "other.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Asking:
    """A server with an event on each of two sites, and whoever asks it."""

    def __init__(self, server: Server, client: httpx2.AsyncClient) -> None:
        self.server = server
        self.client = client

    async def key(self, *where: str, scope: str = "sql:read") -> str:
        made = await self.server.command("key", "create", *where, "--scope", scope)
        return made.strip()

    async def ask(self, key: str, sql: str, accept: str = "*/*", **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {key}", "accept": accept}
        return await self.client.post("/api/sql", json={"sql": sql, **more}, headers=headers)


@pytest_asyncio.fixture(loop_scope="module")
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    server = Server(tmp_path / "data")
    for site in (SITE, OTHER):
        await server.command("site", "add", site)
    await server.start(ANALYTICS_STORE__SQL_ROWS="3", ANALYTICS_STORE__QUERY_TIMEOUT_S="4")
    try:
        headers = {"user-agent": FIREFOX}
        async with httpx2.AsyncClient(base_url=server.url, timeout=30, headers=headers) as client:
            for site in (SITE, OTHER):
                sent = {"n": "pageview", "u": f"https://{site}/of-{site}", "d": site}
                assert (await client.post("/api/event", json=sent)).status_code == 202
            yield Asking(server, client)
        await server.balance()
    finally:
        await server.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def settled(asking: Asking) -> None:
    """The command waits until what was sent is in the store."""
    await asking.server.command("sql", "SELECT 1")


async def test_a_key_of_one_site_sees_that_site(asking: Asking) -> None:
    await settled(asking)
    key = await asking.key("--site", SITE)
    sql = "SELECT site, path FROM events"
    answer = await asking.ask(key, sql)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "columns": [{"name": "site", "type": "VARCHAR"}, {"name": "path", "type": "VARCHAR"}],
        "row_count": 1,
        "rows": [[SITE, f"/of-{SITE}"]],
    }
    assert (await asking.ask(key, sql, site_id=SITE)).json() == answer.json()
    refused = await asking.ask(key, sql, site_id=OTHER)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    everything = await asking.ask(await asking.key("--all-sites"), sql + " ORDER BY 1")
    assert [row[0] for row in everything.json()["rows"]] == [SITE, OTHER]


async def test_only_a_key_with_the_scope_may_ask(asking: Asking) -> None:
    other = await asking.key("--all-sites", scope="stats:read")
    assert (await asking.ask(other, "SELECT 1")).status_code == 403
    assert (await asking.ask("ak_unknown", "SELECT 1")).status_code == 401
    assert (await asking.client.post("/api/sql", json={"sql": "SELECT 1"})).status_code == 401
    may = await asking.key("--all-sites")
    query = {"site_id": SITE, "metrics": ["visitors"], "date_range": "day"}
    headers = {"authorization": f"Bearer {may}"}
    answer = await asking.client.post("/api/v2/query", json=query, headers=headers)
    assert answer.status_code == 403


async def test_the_format_is_the_one_that_is_accepted(asking: Asking) -> None:
    await settled(asking)
    key = await asking.key("--site", SITE)
    sql = "SELECT range AS n FROM range(4)"
    answer = await asking.ask(key, sql)
    assert answer.json()["rows"] == [[0], [1], [2]]
    assert answer.json()["truncated"] is True
    answer = await asking.ask(key, sql, "text/csv;q=0.9, application/json")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-analytics-truncated"] == "true"
    assert answer.text == "n\n0\n1\n2\n"
    answer = await asking.ask(key, sql, "application/vnd.apache.parquet")
    assert answer.headers["x-analytics-rows"] == "3"
    file = asking.server.data.parent / "answer.parquet"
    file.write_bytes(answer.content)
    assert duckdb.sql(f"SELECT n FROM '{file}'").fetchall() == [(0,), (1,), (2,)]
    answer = await asking.ask(key, sql, "image/png")  # JSON, whatever else is accepted
    assert answer.json()["rows"] == [[0], [1], [2]]


async def test_what_is_wrong_is_said(asking: Asking) -> None:
    key = await asking.key("--site", SITE)
    for sql in ("SELECT nothing FROM events", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO 'x'"):
        answer = await asking.ask(key, sql)
        assert (answer.status_code, answer.json()["field"]) == (400, "sql")
    answer = await asking.ask(key, "SELECT 1", nonsense=1)
    assert answer.status_code == 400
    assert (await asking.ask(key, "SELECT 1", **{"from": "soon"})).status_code == 400


async def test_a_question_ends_with_who_asked_it_and_after_its_time(asking: Asking) -> None:
    key = await asking.key("--site", SITE)
    endless = "SELECT max(hash(range)) FROM range(1000000000000000)"
    for _ in range(3):  # more than are answered at a time
        with pytest.raises(httpx2.ReadTimeout):
            headers = {"authorization": f"Bearer {key}"}
            await asking.client.post(
                "/api/sql", json={"sql": endless}, headers=headers, timeout=0.7
            )
    answer = await asking.ask(key, "SELECT 1")
    assert answer.json()["rows"] == [[1]]
    answer = await asking.ask(key, endless)
    assert (answer.status_code, answer.json()["code"]) == (503, "query_too_long")
    assert [*(asking.server.data / "scratch").iterdir()] == []
