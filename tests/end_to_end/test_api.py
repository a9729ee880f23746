"""Whole journeys of somebody who has the command line and HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.server import ROOT, Server

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = "api.example"
OTHER = "other.example"


class Journey:
    """A server with two sites, and what a script does with it."""

    def __init__(self, server: Server, client: httpx2.AsyncClient) -> None:
        self.server = server
        self.client = client

    async def told(self, *arguments: str) -> Any:
        return json.loads(await self.server.command(*arguments, "--json"))

    async def key(self, *scopes: str, site: str | None = None) -> dict[str, str]:
        where = ("--site", site) if site else ("--all-sites",)
        made = await self.told("key", "create", *where, "--scope", ",".join(scopes))
        return {"authorization": f"Bearer {made['key']}", "id": made["id"]}

    async def post(self, headers: dict[str, str] | None = None, **members: Any) -> httpx2.Response:
        body = {"n": "pageview", "u": f"https://{SITE}/", "d": SITE, **members}
        return await self.client.post("/api/event", json=body, headers=headers)

    async def ask(
        self, key: dict[str, str], wait: str | None = None, **members: Any
    ) -> httpx2.Response:
        usual = {"site_id": SITE, "metrics": ["visitors", "pageviews"], "date_range": "day"}
        params = {} if wait is None else {"wait": wait}
        return await self.client.post(
            "/api/v2/query", json={**usual, **members}, params=params, headers=key
        )


@pytest_asyncio.fixture(loop_scope="module")
async def journey(tmp_path: Path) -> AsyncIterator[Journey]:
    server = Server(tmp_path / "data")
    await server.command("site", "add", SITE)
    await server.start()
    try:
        await server.command("site", "add", OTHER)  # beside the server
        headers = {"user-agent": FIREFOX}
        async with httpx2.AsyncClient(base_url=server.url, timeout=30, headers=headers) as client:
            yield Journey(server, client)
        await server.balance()
    finally:
        await server.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_was_acked_is_in_the_figures_for_who_waits_for_it(journey: Journey) -> None:
    key = await journey.key("stats:read", site=SITE)
    for views in range(1, 6):
        receipt = (await journey.post(vid="ada")).headers["x-analytics-receipt"]
        answer = await journey.ask(key, wait=receipt)
        assert answer.json()["results"] == [{"dimensions": [], "metrics": [1, views]}]
    batch = [
        {"n": "pageview", "u": f"https://{SITE}/b", "d": SITE, "vid": str(n)} for n in range(9)
    ]
    answered = (await journey.client.post("/api/events", json=batch)).json()
    assert (answered["accepted"], answered["refused"]) == (9, 0)
    receipts = ",".join(item["receipt"] for item in answered["results"])
    answer = await journey.ask(key, wait=receipts, dimensions=["event:page"])
    assert answer.json()["results"] == [
        {"dimensions": ["/b"], "metrics": [9, 9]},
        {"dimensions": ["/"], "metrics": [1, 5]},
    ]
    realtime = await journey.client.get(
        "/api/v1/stats/realtime/visitors", params={"site_id": SITE}, headers=key
    )
    assert realtime.json() == 10


async def test_a_key_reaches_its_site_and_scope_until_it_is_revoked(journey: Journey) -> None:
    key = await journey.key("stats:read", site=SITE)
    assert (await journey.ask(key)).status_code == 200
    assert (await journey.ask(key, site_id=OTHER)).status_code == 403
    assert (await journey.post(headers=key)).status_code == 403
    writer = await journey.key("events:write", site=SITE)
    assert (await journey.ask(writer)).status_code == 403
    assert (await journey.post(headers=writer, ts=1_000_000_000_000)).status_code == 202
    assert (await journey.post(ts=1_000_000_000_000)).status_code == 403
    await journey.server.command("key", "revoke", key["id"])
    assert (await journey.ask(key)).status_code == 401
    assert (await journey.ask({})).status_code == 401


async def test_a_wait_for_what_never_was_is_refused(journey: Journey) -> None:
    key = await journey.key("stats:read")
    for nonsense in ("", "x", "0-99999", "7-0"):
        answer = await journey.ask(key, wait=nonsense)
        assert (answer.status_code, answer.json()["field"]) == (400, "wait")


async def test_every_hit_is_accounted_for(journey: Journey) -> None:
    key = await journey.key("stats:read")
    same = {"id": str(uuid.uuid4()), "vid": "ada"}
    for answer in (await journey.post(**same), await journey.post(**same)):
        assert answer.status_code == 202
        assert "x-analytics-dropped" not in answer.headers
    unknown = await journey.post(d="nobody.example")
    assert unknown.headers["x-analytics-dropped"] == "unknown-site"
    last = (await journey.post(headers={"user-agent": "Googlebot/2.1"})).headers
    await journey.ask(key, wait=last["x-analytics-receipt"])
    ledger = (await journey.client.get("/api/ledger", headers=key)).json()
    lines = {line["site"]: line for line in ledger["sites"]}
    assert ledger["balanced"] is True
    assert (lines[SITE]["received"], lines[SITE]["stored"], lines[SITE]["duplicate"]) == (3, 2, 1)
    assert lines["nobody.example"]["dropped"] == {"unknown-site": 1}
    mine = await journey.key("stats:read", site=SITE)
    ledger = (await journey.client.get("/api/ledger", headers=mine)).json()
    assert [line["site"] for line in ledger["sites"]] == [SITE]
    others = await journey.client.get("/api/ledger", params={"site": OTHER}, headers=mine)
    assert others.status_code == 404
    assert (await journey.client.get("/api/ledger")).status_code == 401
    rows = await journey.server.rows(SITE)
    assert sorted(str(row["bot"]) for row in rows) == ["None", "crawler"]


async def test_a_browser_may_send_from_any_page(journey: Journey) -> None:
    for path in ("/api/event", "/api/events"):
        preflight = await journey.client.options(
            path,
            headers={
                "origin": f"https://{SITE}",
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type",
            },
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "content-type" in preflight.headers["access-control-allow-headers"]
    plain = await journey.post(headers={"content-type": "text/plain", "origin": f"https://{SITE}"})
    assert plain.status_code == 202
    assert plain.headers["access-control-allow-origin"] == "*"
    assert (await journey.client.get("/api/event")).status_code == 405


async def test_health_metrics_and_errors_have_their_shapes(journey: Journey) -> None:
    assert (await journey.client.get("/health/live")).json() == {"status": "live"}
    ready = await journey.client.get("/health/ready")
    told = ready.json()
    background = told.pop("background")
    assert told == {
        "status": "ready",
        "checks": {"journal": "ok", "projector": "ok"},
        "degraded": {},
    }
    loops = {
        "projector",
        "remembered-ids",
        "salts",
        "retention",
        "cells",
        "connections",
        "freshness",
        "membership",
        "audit-log",
        "compaction",
        "disk",
    }
    assert {*background} == loops
    assert [each["error"] for each in background.values()] == [None] * len(loops)
    await journey.post()
    await journey.post(n="")
    metrics = (await journey.client.get("/metrics")).text.splitlines()
    assert "analytics_requests_accepted_total 1.0" in metrics
    assert 'analytics_requests_refused_total{code="malformed"} 1.0' in metrics
    assert "analytics_log_next_offset 1.0" in metrics
    for loop in loops:
        assert f'analytics_background_failures_in_a_row{{loop="{loop}"}} 0.0' in metrics
    hidden = await journey.client.get("/metrics", headers={"x-forwarded-for": "8.8.8.8"})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
    missing = await journey.client.get("/api/nothing")
    assert missing.status_code == 404
    assert set(missing.json()) == {"error", "code", "request_id"}


async def test_a_server_leaves_what_it_does_not_serve_to_others(journey: Journey) -> None:
    await journey.server.stop()
    await journey.server.start(ANALYTICS_SERVE__MODULES="dashboard")
    event = await journey.post()
    assert event.status_code == 404
    assert "does not answer for ingest" in event.json()["error"]
    assert (await journey.client.get("/login")).status_code in (200, 303)
    await journey.server.stop()
    await journey.server.start(ANALYTICS_SERVE__MODULES="ingest")
    assert (await journey.post()).status_code == 202
    page = await journey.client.get("/login")
    assert page.status_code == 404
    assert "does not answer for dashboard" in page.json()["error"]


# The end of a server


async def test_a_request_under_way_is_answered_before_the_end(journey: Journey) -> None:
    body = json.dumps({"n": "pageview", "u": f"https://{SITE}/last", "d": SITE}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", journey.server.port)
    head = f"POST /api/event HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:10])
    await writer.drain()
    # The server has begun to read it when it answers what came later.
    assert (await journey.client.get("/health/live")).status_code == 200
    process = journey.server.process
    assert process is not None
    process.terminate()
    await refuses_connections(journey.server.port)
    writer.write(body[10:])
    assert (await reader.readline()).startswith(b"HTTP/1.1 202")
    writer.close()
    assert await process.wait() == 0
    assert [row["path"] for row in await journey.server.rows(SITE)] == ["/last"]


async def refuses_connections(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def analytics(*arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "analytics", *arguments),
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_port_in_use_is_said_in_one_line(journey: Journey, tmp_path: Path) -> None:
    port = str(journey.server.port)
    code, said = await analytics("serve", "--port", port, "--data", str(tmp_path / "second"))
    assert code == 2
    assert f":{port}: choose another port with --port" in said
    assert said.count("\n") == 1


async def test_a_folder_in_use_is_said_in_one_line(journey: Journey) -> None:
    code, said = await analytics("serve", "--port", "0", "--data", str(journey.server.data))
    assert code == 3
    assert str(journey.server.data) in said
    assert said.count("\n") == 1


async def test_exit_codes_say_what_kind_of_no_it_was(journey: Journey, tmp_path: Path) -> None:
    data = ("--data", str(journey.server.data))
    assert (await analytics("site", "list", *data))[0] == 0
    assert (await analytics("site", "add", SITE, *data))[0] == 2
    assert (await analytics("site", "add", "https://x/", *data))[0] == 2
    assert (await analytics("site", "remove", "nobody.example", "--yes", *data))[0] == 2
    assert (await analytics("sites", *data))[0] == 2
    assert (await analytics("serve", "--port", "no", *data))[0] == 2
    assert (await analytics("audit", *data))[0] == 0
    assert (await analytics("audit", "--data", str(tmp_path / "nothing")))[0] == 2


async def test_shields_and_wishes_hold_from_the_moment_they_are_set(journey: Journey) -> None:
    owner = b"long enough"
    await journey.server.command(
        "user", "add", "ada@example.com", "--owner", "--password-stdin", stdin=owner
    )
    login = await journey.client.post(
        "/login", data={"email": "ada@example.com", "password": owner.decode()},
        headers={"origin": journey.server.url},
    )  # fmt: skip
    assert login.status_code == 303, login.text

    async def dropped(**headers: str) -> str | None:
        answer = await journey.post(headers=headers)
        assert answer.status_code == 202
        reason: str | None = answer.headers.get("x-analytics-dropped")
        return reason

    async def change(**form: str) -> None:
        changed = await journey.client.post(
            f"/{SITE}/settings", data=form, headers={"origin": journey.server.url}
        )
        assert changed.status_code == 303, changed.text

    assert await dropped(dnt="1") is None
    await change(form="privacy", honour_dnt="on")
    assert await dropped(dnt="1") == "opted-out"
    assert await dropped(**{"sec-gpc": "1"}) == "opted-out"
    assert await dropped() is None
    await change(form="shields", addresses="203.0.113.0/24", countries="US", pages="/secret*")
    assert await dropped(**{"x-forwarded-for": "203.0.113.9"}) == "shield-ip"
    assert await dropped(**{"x-forwarded-for": "8.8.8.8"}) == "shield-country"
    assert await dropped() is None
    secret = await journey.post(u=f"https://{SITE}/secret/x")
    assert secret.headers["x-analytics-dropped"] == "shield-page"
    await change(form="shields", hostnames="only.example")
    assert await dropped() == "shield-hostname"
    (line,) = (await journey.server.balance())["sites"]
    assert (line["received"], line["stored"]) == (9, 3)
    assert sum(line["dropped"].values()) == 6
