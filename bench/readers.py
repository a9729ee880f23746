#!/usr/bin/env python3
"""What readers of reports, and senders of events, notice of each other.

    python bench/readers.py [--sites 500] [--events 330000] [--readers 40]

Starts `analytics serve` over a folder with that many sites and events: ten sites have twelve
months of them, the others began today.
Sends events, one every 20 ms, first while nobody reads, then while that many readers open a
report of twelve months at once, of one of the ten, every three seconds for the same time: first
reports that others open too, then such as nobody has opened before. Then the owner opens the list
of all sites. Every page must be a page of figures, every event a 202.
Events are sent by a process of their own, so that none waits for the readers' client.
Prints latencies and keeps them in bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx2
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from analytics.catalog.sqlite import SqliteCatalog
from analytics.settings import Settings
from analytics.startup import open_workspace
from analytics.store.duckdb import DuckDBStore
from analytics.testing import sample

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "readers.json"
DAYS = 365
OLD = 10
"""Sites with all of those days."""
EVENTS_OF_A_VISIT = 4.4
EVENT_EVERY_S = 0.02
WAVE_EVERY_S = 3
"""So that a server that answers sooner is not given more to do; one that takes longer gets the
next wave at once."""
OWNER, PASSWORD = "owner@example.test", "long enough"
HEADERS = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def site(number: int) -> str:
    """The domain of a site."""
    return f"site-{number}.example"


async def prepare(folder: Path, sites: int, events: int) -> int:
    """Make the sites, an owner, and about *events* rows, with their cells; how many rows."""
    async with open_workspace(Settings(data=folder)):
        pass  # makes the folder
    async with SqliteCatalog(folder / "catalog.sqlite") as catalog:
        for number in range(sites):
            added = await catalog.sites.add(site(number), timezone="Etc/UTC")
            await catalog.sites.edit(added.domain, lambda site: replace(site, public=True))
        await catalog.people.add(OWNER, PASSWORD, owner=True)
    now = time.time_ns() // 1_000_000
    rows = 0
    zones = {site(number): "Etc/UTC" for number in range(sites)}
    a_day = round(events / EVENTS_OF_A_VISIT / OLD / DAYS)
    async with DuckDBStore(folder / "store.duckdb", timezones=lambda: zones) as store:
        for number in range(sites):
            days, visits = (DAYS, a_day) if number < OLD else (1, 1)
            records = sample.records(site(number), until=now, days=days, a_day=visits, seed=number)
            batch = sample.batch(records)._replace(next_offset=0)  # no log is behind them
            rows += len(batch.rows)
            await store.write(batch)
        await store.build_cells(now)
    return rows


class Sender:
    """Sends an event now and then, and notes how long each answer took since it was due."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.took: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def send(self, until: float) -> None:
        """Go on until then, whatever the answers take."""
        loop = asyncio.get_running_loop()
        due, sent = loop.time(), []
        while due < until:
            await asyncio.sleep(due - loop.time())
            sent.append(asyncio.create_task(self._one(due)))
            due += EVENT_EVERY_S
        await asyncio.gather(*sent)

    async def _one(self, due: float) -> None:
        event = {"n": "pageview", "u": f"https://{site(0)}/", "d": site(0), "id": str(uuid4())}
        answer = await self._client.post("/api/event", json=event)
        self.took.append(asyncio.get_running_loop().time() - due)
        self.statuses[answer.status_code] += 1


def send_for(seconds: float, url: str, results: SimpleQueue[Any]) -> None:
    """Send to *url* for that long; put None as it begins, then what each answer took, and said."""

    async def sending() -> Sender:
        async with httpx2.AsyncClient(base_url=url, timeout=90, headers=HEADERS) as client:
            loop = asyncio.get_running_loop()
            await Sender(client).send(loop.time() + 1)  # the connection, and what is made once
            sender = Sender(client)
            results.put(None)
            await sender.send(loop.time() + seconds)
            return sender

    sender = asyncio.run(sending())
    results.put((sender.took, sender.statuses))


class Sending:
    """A sender in a process of its own."""

    def __init__(self, seconds: float, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._results: SimpleQueue[Any] = context.SimpleQueue()
        self._process = context.Process(target=send_for, args=(seconds, url, self._results))
        self._process.start()

    async def begun(self) -> None:
        """Return when it sends."""
        await asyncio.to_thread(self._results.get)

    async def ended(self) -> tuple[list[float], Counter[int]]:
        """What each answer took, and said."""
        took, statuses = await asyncio.to_thread(self._results.get)
        await asyncio.to_thread(self._process.join)
        return took, statuses


async def read(client: httpx2.AsyncClient, path: str) -> tuple[float, int, bool]:
    """Open a report of twelve months: seconds, status, and whether it has its figures."""
    began = time.perf_counter()
    page = await client.get(path)
    whole = 'class="cards"' in page.text and "data-error" not in page.text
    return time.perf_counter() - began, page.status_code, whole


def same(number: int) -> str:
    """The report that the *number*th reader opens, as others do."""
    return f"/{site(number % OLD)}?period=12mo"


def different(number: int) -> str:
    """A report that nobody else opens: of other days."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=DAYS - 1 - number // OLD % 30)
    last = today - timedelta(days=1 + number // OLD // 30)
    return f"/{site(number % OLD)}?period=custom&from={first}&to={last}"


async def beside(
    url: str, reading: httpx2.AsyncClient, readers: int, seconds: float, path: Callable[[int], str]
) -> dict[str, object]:
    """Send events while *readers* open reports, wave after wave."""
    sending = Sending(seconds, url)
    await sending.begun()
    ended = asyncio.create_task(sending.ended())
    pages: list[tuple[float, int, bool]] = []
    while not ended.done():
        numbers = range(len(pages), len(pages) + readers)
        wave = time.perf_counter()
        pages += await asyncio.gather(*(read(reading, path(number)) for number in numbers))
        waits = max(0.0, wave + WAVE_EVERY_S - time.perf_counter())
        await asyncio.wait({ended}, timeout=waits)
    took, statuses = await ended
    first = [seconds for seconds, _, _ in pages[:readers]]
    every = [seconds for seconds, _, _ in pages]
    return {
        "pages": len(pages),
        "pages_refused": sum(status != 200 for _, status, _ in pages),
        "pages_without_figures": sum(not whole for _, _, whole in pages),
        "first_wave_p50_ms": at(first, 0.5),
        "first_wave_p95_ms": at(first, 0.95),
        "page_p50_ms": at(every, 0.5),
        "page_p95_ms": at(every, 0.95),
        "events_refused": sum(n for status, n in statuses.items() if status != 202),
        "event_p50_ms": at(took, 0.5),
        "event_p99_ms": at(took, 0.99),
    }


def at(took: list[float], share: float) -> float:
    """The value below which *share* of them lie, in milliseconds."""
    ordered = sorted(took)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)


async def measure(url: str, readers: int, seconds: float) -> dict[str, object]:
    """Everything, as one result."""
    limits = httpx2.Limits(max_connections=200)
    async with httpx2.AsyncClient(
        base_url=url, timeout=90, headers=HEADERS, limits=limits
    ) as reading:
        await read(reading, f"/{site(0)}?period=day")  # what is made once, for the first page
        quietly = Sending(seconds, url)
        await quietly.begun()
        quiet, statuses = await quietly.ended()
        assert set(statuses) == {202}, statuses
        phases = {
            "same_reports": await beside(url, reading, readers, seconds, same),
            "different_reports": await beside(url, reading, readers, seconds, different),
        }
        origin = {"origin": url}
        login = {"email": OWNER, "password": PASSWORD}
        await reading.post("/login", data=login, headers=origin)
        lists = []
        for _ in range(3):
            began = time.perf_counter()
            answer = await reading.get("/")
            lists.append(time.perf_counter() - began)
            assert answer.status_code == 200
            cards = answer.text.count('class="card site-card"')
    for phase in phases.values():
        phase["event_p99_ratio"] = round(cast("float", phase["event_p99_ms"]) / at(quiet, 0.99), 2)
    return {
        "quiet_event_p50_ms": at(quiet, 0.5),
        "quiet_event_p99_ms": at(quiet, 0.99),
        **phases,
        "site_list_sites": cards,
        "site_list_ms": round(statistics.median(lists) * 1000, 1),
    }


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A server on the folder, ready."""
    arguments = ["serve", "--data", str(folder), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    # All readers come from one address here.
    for section in ("GATEWAY", "INGEST"):
        environment[f"ANALYTICS_{section}__RATE_PER_S"] = "0"
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200:
                return process
        except httpx2.TransportError:
            assert process.poll() is None, "the server ended"
        time.sleep(0.1)
    raise AssertionError("the server is not ready after a minute")


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--events", type=int, default=330_000)
    parser.add_argument("--readers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=15, help="of each of the three phases")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-readers-") as scratch:
        folder = Path(scratch) / "data"
        began = time.perf_counter()
        rows = asyncio.run(prepare(folder, options.sites, options.events))
        print(f"{options.sites} sites, {rows:,} rows made in {time.perf_counter() - began:.0f} s")
        port = free_port()
        load_before = os.getloadavg()[0]
        process = serve(folder, port)
        try:
            result = asyncio.run(
                measure(f"http://127.0.0.1:{port}", options.readers, options.seconds)
            )
        finally:
            process.terminate()
            process.wait(60)
    kept = {
        "sites": options.sites,
        "rows": rows,
        "readers": options.readers,
        **result,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        # Seconds mean little on a busy machine; the ratio is of one run.
        "load_before": round(load_before, 1),
        "measured": datetime.now(UTC).date().isoformat(),
    }
    for name, value in kept.items():
        for line, one in value.items() if isinstance(value, dict) else ((name, value),):
            print(f"{name if line != name else '':18} {line:24} {one}")
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
