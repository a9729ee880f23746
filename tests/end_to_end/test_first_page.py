"""The first page after a start holds up no event: all that it needs is there already."""

from __future__ import annotations

from pathlib import Path

import httpx2
from tests.server import Server

from analytics import dashboard
from analytics.dashboard.templates import environment

OWNER = "owner@example.test"
PASSWORD = "a password to read with"


async def test_nothing_is_imported_once_the_server_answers(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    await server.command("site", "add", "example.test")
    user = ("user", "add", OWNER, "--owner", "--password-stdin")
    await server.command(*user, stdin=PASSWORD.encode())
    await server.start(PYTHONPROFILEIMPORTTIME="1")
    event = {"n": "pageview", "u": "https://example.test/a", "d": "example.test"}
    async with httpx2.AsyncClient(base_url=server.url) as client:
        (await client.post("/api/event", json=event)).raise_for_status()
        form = {"email": OWNER, "password": PASSWORD}
        assert (await client.post("/login", data=form)).status_code == 303
        pages = ("/", "/example.test", "/example.test/list/top", "/example.test/ledger", "/admin")
        for path in (*pages, "/example.test/settings", "/account", "/pixel.gif", "/tracker.js"):
            answer = await client.get(path)
            assert answer.status_code == (400 if path == "/pixel.gif" else 200), path
        style = (await client.get("/")).text.partition('stylesheet" href="')[2].partition('"')[0]
        (await client.get(style)).raise_for_status()
    await server.stop()
    before, serving, after = server.log().partition('"event": "serving"')
    assert serving
    assert "analytics.dashboard" in before
    late = [line for line in after.splitlines() if line.startswith("import time:")]
    # Codecs are a few lines each, and are looked up by what was sent.
    assert [line for line in late if "encodings." not in line] == []


def test_every_template_is_compiled_at_the_start() -> None:
    environment.cache_clear()
    dashboard.warm()
    cache = environment().cache
    assert cache is not None
    assert len(cache) == len(environment().list_templates())
