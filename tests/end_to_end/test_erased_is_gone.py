"""What was erased is in no file: not of the running server, nor of the next, nor of a backup."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx2
import msgspec
from msgspec import structs
from tests.marks import Marks, found
from tests.server import Server

from analytics.admin import operations
from analytics.admin.operation_context import OperationContext
from analytics.resources import Resources
from analytics.settings import load
from analytics.startup import open_resources, open_workspace
from analytics.visitor_id import from_cookie

SITE = "marks.example"
DAY_MS = 86_400_000

Marked = dict[str, Marks]


def every(marked: Marked) -> list[str]:
    return [text for marks in marked.values() for text in marks.texts]


async def send(server: Server, hits: list[dict[str, object]]) -> None:
    """Return when they are in the store."""
    async with httpx2.AsyncClient(base_url=server.url) as client:
        for hit in hits:
            answer = await client.post("/api/event", json=hit)
            assert answer.status_code == 202, answer.text
            assert "x-analytics-dropped" not in answer.headers
    await server.command("audit")


def held(path: Path, texts: list[str]) -> set[str]:
    return {text for found_there in found(path, texts).values() for text in found_there}


async def test_what_was_erased_is_in_no_file_and_in_no_later_backup(tmp_path: Path) -> None:
    """By cookie, number, filter, everybody, with the site: each mark lies in each kind of file."""
    server = Server(tmp_path / "data")
    sites = {"cookie": SITE, "number": SITE, "everybody": "two.example", "site": "three.example"}
    sites["filter"] = "four.example"
    for site in dict.fromkeys(sites.values()):
        await server.command("site", "add", site)
    await server.start()
    old: Marked = {way: Marks() for way in sites}
    new: Marked = {way: Marks() for way in sites}
    await send(server, [hit for way in sites for hit in old[way].hits(sites[way], f"ada-{way}")])
    await server.stop()  # which folds the write-ahead log into the file
    await server.start()
    bob: dict[str, object] = {"n": "pageview", "u": f"https://{SITE}/bob", "d": SITE, "vid": "bob"}
    hits = [hit for way in sites for hit in new[way].hits(sites[way], f"ada-{way}")]
    await send(server, [*hits, bob])
    store, journal = server.data / "store.duckdb", server.data / "journal"
    assert held(store, every(old)) == {*every(old)}, "the search sees what lies in a DuckDB file"
    assert held(server.data / "store.duckdb.wal", every(new)) == {*every(new)}, "and in its log"
    assert held(journal, every(new)) == {*every(new)}, "and in the journal"
    raw = store.read_bytes()
    assert [text for text in every(old) if text.encode() not in raw] == [], "though compressed"

    numbers = {way: from_cookie(site, f"ada-{way}") for way, site in sites.items()}
    await server.command("erase", "--site", SITE, "--cookie", "ada-cookie", "--yes")
    assert held(server.data, [*old["cookie"].texts, *new["cookie"].texts]) == set()
    await server.command("erase", "--site", SITE, "--visitor", str(numbers["number"]), "--yes")
    await server.command("erase", "--site", sites["everybody"], "--everything", "--yes")
    await server.command("site", "remove", sites["site"], "--erase", "--yes")
    by_page = ("--filter", "event:page contains /path", "--from", "2020-01-01", "--yes")
    await server.command("erase", "--site", sites["filter"], *by_page)
    traces = [
        trace
        for number in numbers.values()
        for trace in (number.to_bytes(8, "little"), number.to_bytes(8, "big"), str(number))
    ]
    marks = [*every(old), *every(new)]
    assert found(server.data, [*marks, *traces]) == {}, "beside the running server"

    # A visit goes on: no row may say where it came in.
    again: dict[str, object] = {**bob, "u": f"https://{SITE}/on", "vid": "ada-cookie"}
    await send(server, [again])
    assert found(server.data, marks) == {}
    await server.command("backup", str(tmp_path / "backup.tar"))
    assert found(tmp_path / "backup.tar", marks) == {}
    await server.balance()
    await server.stop()
    assert found(server.data, marks) == {}, "after a stop"
    await server.start()
    assert {row["path"] for row in await server.rows(SITE)} == {"/bob", "/on"}
    await server.balance()
    assert found(server.data, marks) == {}, "after a start"
    await server.stop()


async def test_what_is_older_than_the_retention_is_in_no_file(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    marks = Marks()
    await server.command("site", "add", SITE)
    key = await server.command("key", "create", "--site", SITE, "--scope", "events:write", "--json")
    secret = json.loads(key)["key"]
    await server.start()
    old = int(time.time() * 1000) - 10 * DAY_MS
    async with httpx2.AsyncClient(base_url=server.url) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        for hit in marks.hits(SITE, "ada", ts=old):
            assert (await client.post("/api/event", json=hit)).status_code == 202
    await send(server, [{"n": "pageview", "u": f"https://{SITE}/", "d": SITE, "vid": "ada"}])
    assert found(server.data, marks.texts) != {}
    await server.stop()
    async with open_workspace(load(None, {"data": server.data}, environment={})) as workspace:
        site = workspace.site(SITE)
        await workspace.catalog.sites.edit(
            site.domain, lambda site: structs.replace(site, retention_days=5)
        )
    await server.start()
    async with asyncio.timeout(120):
        while found(server.data, marks.texts):
            await asyncio.sleep(0.2)
    await server.command("backup", str(tmp_path / "backup.tar"))
    assert found(tmp_path / "backup.tar", marks.texts) == {}
    assert [row["path"] for row in await server.rows(SITE)] == ["/"]
    await server.balance()
    await server.stop()
    assert found(server.data, marks.texts) == {}


async def test_a_salt_that_is_over_is_in_no_file_and_in_no_backup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = load(None, {"data": data}, environment={})
    async with open_resources(settings) as parts:
        site = await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        today = parts.clock() // DAY_MS
        days = (today - 30, today - 1, today, today + 1)
        await parts.catalog.salts.make(days, today=today)
        salts = [parts.catalog.salts.of(day, today=today) for day in days]
        assert found(data, salts) != {}, "the search sees what lies there"
        await parts.catalog.sites.edit(site.domain, lambda site: structs.replace(site, public=True))
        backup = Path(msgspec.json.decode(await perform(parts, "backup"))["file"])
        copied = backup.rename(tmp_path / "before.tar")
        assert found(copied, salts) == {}, "a backup never has any"
        later = today + 4
        await parts.catalog.salts.make((later, later + 1), today=later)
        assert found(data, salts) == {}, "they are over"
        fresh = Path(msgspec.json.decode(await perform(parts, "backup"))["file"])
        assert found(fresh.rename(tmp_path / "after.tar"), salts) == {}
    assert found(data, salts) == {}, "after a stop"


async def perform(parts: Resources, operation: str) -> bytes:
    return await operations.perform(parts, operation, b"{}", OperationContext())
