"""Assistants, by the real client of the Model Context Protocol: over HTTP, and by the command."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from tests.server import Server, plain_environment

from analytics.query import Dimension, Metric

SITE, OTHER = "asked.example", "other.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LISTED = {
    "site_id": SITE,
    "timezone": "Etc/UTC",
    "goals": ["Second page"],
    "segments": [],
}
QUESTION = {"site_id": SITE, "metrics": ["visitors", "pageviews"], "date_range": "day"}


@pytest_asyncio.fixture(loop_scope="module")
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with two views of one visitor on one of two sites."""
    server = Server(tmp_path / "data")
    for site in (SITE, OTHER):
        await server.command("site", "add", site)
    await server.command("goal", "add", SITE, "--page", "/b", "--name", "Second page")
    await server.start(ANALYTICS_MCP__HTTP="true")
    try:
        async with httpx2.AsyncClient(base_url=server.url, headers={"user-agent": FIREFOX}) as web:
            for path in ("a", "b"):
                sent = {"n": "pageview", "u": f"https://{SITE}/{path}", "d": SITE, "vid": "ada"}
                assert (await web.post("/api/event", json=sent)).status_code == 202
        await server.command("sql", "SELECT 1")  # which waits until they are in the store
        yield server
    finally:
        await server.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def key(server: Server, *where: str, scope: str = "stats:read") -> str:
    return (await server.command("key", "create", *where, "--scope", scope)).strip()


async def told(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert content.type == "text"
    assert not result.is_error, content.text
    return json.loads(content.text)


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert content.type == "text"
    assert result.is_error, content.text
    return content.text


async def check(client: Client) -> None:
    """Ask every tool as who has a key of the one site."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert sorted(tools) == [
        "compare",
        "funnel",
        "journey",
        "list_sites",
        "query",
        "realtime",
        "retention",
    ]
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    description = tools["query"].description or ""
    assert [name for name in (*Metric, *Dimension) if f"{name}" not in description] == []
    assert await told(client, "list_sites") == [LISTED]
    answer = await told(client, "query", **QUESTION, dimensions=["event:page"])
    assert answer["results"] == [
        {"dimensions": ["/a"], "metrics": [1, 1]},
        {"dimensions": ["/b"], "metrics": [1, 1]},
    ]
    both = await told(client, "compare", **QUESTION, compare_with=["2020-01-01", "2020-01-31"])
    assert [both[name]["results"][0]["metrics"] for name in ("date_range", "compare_with")] == [
        [1, 2],
        [0, 0],
    ]
    assert await told(client, "realtime", site_id=SITE) == {"visitors": 1}
    today = {"site_id": SITE, "date_range": "day"}
    first, second = ["is", "event:page", ["/a"]], ["is", "event:goal", ["Second page"]]
    funnel = await told(client, "funnel", **today, steps=[first, second])
    assert [step["visits"] for step in funnel["results"]] == [1, 1]
    journey = await told(client, "journey", **today, start=first)
    assert journey["results"][1]["stops"] == [{"kind": "page", "name": "/b", "visits": 1}]
    retention = await told(client, "retention", **today, unit="day")
    assert [cohort["visitors"] for cohort in retention["results"]] == [[1]]
    assert "steps" in await refusal(client, "funnel", **today, steps=[first])
    assert "This key is for" in await refusal(
        client, "funnel", site_id=OTHER, date_range="day", steps=[first, second]
    )
    assert "unit" in await refusal(client, "retention", **today, unit="hour")
    assert "This key is for" in await refusal(client, "realtime", site_id=OTHER)
    assert "metric" in await refusal(client, "query", **{**QUESTION, "metrics": ["visitor"]})
    assert "colour" in await refusal(client, "query", **QUESTION, colour="red")
    assert "colour" in await refusal(client, "list_sites", colour="red")


async def test_over_http_a_key_is_needed_and_bounds_what_is_seen(server: Server) -> None:
    secret = await key(server, "--site", SITE)
    headers = {"authorization": f"Bearer {secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as web,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=web)) as client,
    ):
        await check(client)
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accepted = {"accept": "application/json, text/event-stream"}
    write = await key(server, "--site", SITE, scope="events:write")
    async with httpx2.AsyncClient(base_url=server.url, headers=accepted) as web:
        assert (await web.post("/mcp", json=listing)).status_code == 401
        headers = {"authorization": f"Bearer {write}"}
        assert (await web.post("/mcp", json=listing, headers=headers)).status_code == 403


async def test_the_command_answers_on_standard_output(server: Server) -> None:
    secret = await key(server, "--site", SITE)
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "analytics", "mcp", "--data", str(server.data)],
        env=plain_environment({"ANALYTICS_MCP__KEY": secret}),
    )
    async with Client(command) as client:
        await check(client)
        await server.stop()  # and without a server
        assert await told(client, "list_sites") == [LISTED]


async def test_the_command_says_that_it_needs_a_key(server: Server) -> None:
    code, _, err = await server.run("mcp")
    assert code == 2
    assert "mcp.key is missing" in err


async def test_nothing_is_at_the_address_unless_it_is_wanted(tmp_path: Path) -> None:
    server = Server(tmp_path / "plain")
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=server.url) as web:
            assert (await web.post("/mcp", json={})).status_code in (404, 405)
    finally:
        await server.stop()
