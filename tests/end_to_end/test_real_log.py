"""A real access log of May 2015: imported, counted, shown; and imported again without effect."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.server import ROOT, Server

SITE = "semicomplete.com"
LOG = ROOT.parent / "shared" / "data" / "semicomplete-access.log.gz"
PASSWORD = "a long enough password"


def real_log() -> Path:
    """Return where the log is. Fails without it: a test that is passed over shows nothing."""
    assert LOG.exists(), (
        f"{LOG} is missing: these tests read a real access log of semicomplete.com of May 2015, "
        "gzipped, which is not part of the checkout. Put it there, or leave the tests out: "
        'pytest -k "not real_log"'
    )
    return LOG


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "data")
    await server.command("site", "add", SITE)
    await server.command(
        "user", "add", "owner@example.com", "--owner", "--password-stdin", stdin=PASSWORD.encode()
    )
    yield server
    await server.stop()


def counted_by_hand() -> Counter[str]:
    """What the log holds, by a reading of its lines that shares nothing with the importer."""
    line = re.compile(r'\S+ \S+ \S+ \[[^]]+\] "(\S+) (\S+) [^"]*" (\d+) \S+ "[^"]*" "[^"]*"\s*')
    counts: Counter[str] = Counter()
    for text in gzip.decompress(real_log().read_bytes()).decode(errors="replace").splitlines():
        counts["lines"] += 1
        match = line.fullmatch(text)
        if match is None:
            counts["unreadable"] += 1
        elif match[1] == "GET" and match[3] in ("200", "304"):
            path = match[2].partition("?")[0]
            counts["root" if path == "/" else "fetched"] += 1
        elif match[3] not in ("200", "304"):
            counts["failed"] += 1
    return counts


async def test_a_real_log_is_imported_counted_and_shown(server: Server) -> None:
    by_hand = counted_by_hand()
    printed = await server.command("import", "access-log", str(real_log()), "--site", SITE)
    (line,) = (await server.balance())["sites"]
    assert line["received"] == by_hand["lines"] - by_hand["unreadable"]
    assert line["received"] == line["stored"] + sum(line["dropped"].values())
    # Every way of leaving a line out is named, in what is printed as in the ledger.
    assert set(line["dropped"]) == {"not-a-page", "not-ok"}
    assert 0 < line["dropped"]["not-ok"] <= by_hand["failed"]
    for reason, count in line["dropped"].items():
        assert f"{count:,} dropped: {reason}" in printed
    rows = await server.rows(SITE)
    assert len(rows) == line["stored"]
    assert {row["ts"][:7] for row in rows} == {"2015-05"}
    assert sum(row["path"] == "/" for row in rows) == by_hand["root"]
    assert {bool(row["bot"]) for row in rows} == {True, False}

    await server.start()
    await _sees_may_2015(server, rows)

    # Beside the running server, and once more: nothing is added.
    await server.command("import", "access-log", str(real_log()), "--site", SITE)
    (again,) = (await server.balance())["sites"]
    assert (again["stored"], again["duplicate"]) == (line["stored"], line["stored"])


async def _sees_may_2015(server: Server, rows: list[dict[str, object]]) -> None:
    people = [row for row in rows if row["bot"] is None]
    created = await server.command(
        "key", "create", "--site", SITE, "--scope", "stats:read", "--json"
    )
    headers = {"authorization": f"Bearer {json.loads(created)['key']}"}
    question = {
        "site_id": SITE,
        "metrics": ["pageviews"],
        "date_range": ["2015-05-01", "2015-05-31"],
    }
    async with httpx2.AsyncClient(base_url=server.url, follow_redirects=True) as client:
        answer = await client.post("/api/v2/query", headers=headers, json=question)
        assert answer.json()["results"][0]["metrics"] == [len(people)]
        await client.post("/login", data={"email": "owner@example.com", "password": PASSWORD})
        page = await client.get(f"/{SITE}?period=custom&from=2015-05-01&to=2015-05-31")
    assert page.status_code == 200
    for shown in ("May 2015", "/projects/xdotool/", "Google", "Desktop", f"{len(people):,}"):
        assert shown in page.text
