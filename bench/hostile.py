#!/usr/bin/env python3
"""What visitors and readers notice while somebody tries to bring the server down.

    python bench/hostile.py [--seconds 120] [--attack streams --attack uploads …]

Starts `analytics serve`, with the limits that it has by default, on two cores and 1 GB of memory:
by a control group where one may be made (version 1 or 2), else by RLIMIT_DATA. Each attack lasts
that many seconds, from a process of its own; beside it 200 visitors a second, each of an address of
its own, send a page view each, and three readers open reports of twelve months. Addresses are told
by X-Forwarded-For. Attacker, visitors and readers share the two cores with the server, so latencies
are those of a machine that is busy with its own attacker.

Shown for each attack: the most memory that the server had (target: 512 MB), the visitors' p99 from
the moment at which a page view was due (250 ms), hits that were answered with 202 and are not in
the figures (none) or were refused, readers' pages with figures, and how often /health/ready said
yes. Prints a table; with --keep the result is written to bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
from attacks import ATTACKS, FIREFOX, attack_for
from readers import OLD, at, free_port, prepare, read, same, site

from analytics.catalog.sqlite import SqliteCatalog
from analytics.person import Scope

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results" / "hostile.json"
MEMORY: Final = 1 << 30
CORES: Final = {0, 1}
VISITORS_PER_S: Final = 200
READERS: Final = 3
MOST_RSS_MB: Final = 512
MOST_P99_MS: Final = 250
SETTLE_S: Final = 60
PATIENCE_S: Final = 60
"""How long a visitor waits for an answer."""
LONGEST_S: Final = 1800
"""After which a program of this one is ended."""


class Visitors:
    """200 page views a second, each of a new visitor with an address of its own.

    Written to the sockets by hand: an HTTP client would take more of the cores than the server.
    """

    def __init__(self, url: str, mark: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._mark = mark
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.took: list[float] = []
        self.statuses: Counter[str] = Counter()

    async def come(self, until: float) -> None:
        """Send when it is due, whatever the answers take."""
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        async with asyncio.TaskGroup() as group:
            while due < until:
                await asyncio.sleep(due - loop.time())
                group.create_task(self._one(due, number))
                due, number = due + 1 / VISITORS_PER_S, number + 1
        for _, writer in self._idle:
            writer.close()

    async def _one(self, due: float, number: int) -> None:
        sent = {
            "n": "pageview",
            "u": f"https://{site(2)}/{self._mark}",
            "d": site(2),
            "id": str(uuid4()),
        }
        body = json.dumps(sent)
        request = (
            f"POST /api/event HTTP/1.1\r\nHost: x\r\nUser-Agent: {FIREFOX}\r\n"
            f"X-Forwarded-For: 100.64.{number // 250 % 250}.{number % 250}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await self._said(request.encode())
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as exc:
            status = type(exc).__name__
        self.statuses[status] += 1
        self.took.append(asyncio.get_running_loop().time() - due)

    async def _said(self, request: bytes) -> str:
        """Return the status, and what an answer that is no success has for its code."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                break
            # The server ends a connection that was idle too long; a browser opens another.
            writer.close()
        else:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        status = head.split(b" ", 2)[1].decode()
        return status if status == "202" else f"{status} {body[:200].decode(errors='replace')}"


async def read_on(url: str, until: float) -> list[bool]:
    """Open reports, as three readers of three addresses do; whether each had its figures."""
    pages: list[bool] = []

    async def one(number: int) -> None:
        headers = {"x-forwarded-for": f"192.0.2.{number + 1}", "user-agent": FIREFOX}
        async with httpx2.AsyncClient(base_url=url, timeout=60, headers=headers) as client:
            while asyncio.get_running_loop().time() < until:
                try:
                    _, status, whole = await read(client, same(number % OLD))
                except httpx2.HTTPError:
                    pages.append(False)
                else:
                    pages.append(whole and status == 200)
                await asyncio.sleep(1)

    await asyncio.gather(*(one(number) for number in range(READERS)))
    return pages


async def watch(url: str, pid: int, until: float) -> tuple[float, list[bool]]:
    """The most memory in MB, and whether each look at /health/ready found it so."""
    most, ready = 0.0, []
    async with httpx2.AsyncClient(base_url=url, timeout=10) as client:
        while asyncio.get_running_loop().time() < until:
            most = max(most, _rss_mb(pid))
            try:
                ready.append((await client.get("/health/ready")).status_code == 200)
            except httpx2.HTTPError:
                ready.append(False)
            await asyncio.sleep(0.25)
    return most, ready


def _rss_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS")), "VmRSS 0")
    return round(int(line.split()[1]) / 1024, 1)


async def kept(client: httpx2.AsyncClient, key: str, mark: str, wanted: int) -> int:
    """How many of the visitors' page views are in the figures, once they had time to be."""
    asked = {
        "site_id": site(2),
        "metrics": ["pageviews"],
        "date_range": "day",
        "filters": [["is", "event:page", [f"/{mark}"]]],
    }
    found = 0
    for _ in range(SETTLE_S):
        with contextlib.suppress(httpx2.HTTPError, LookupError):
            headers = {"authorization": f"Bearer {key}"}
            answer = await client.post("/api/v2/query", json=asked, headers=headers)
            found = answer.json()["results"][0]["metrics"][0]
        if found >= wanted:
            break
        await asyncio.sleep(1)
    return int(found)


async def _program(what: str, *arguments: str) -> dict[str, Any]:
    """Run this file as *what*, and return what it prints; nothing when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--be", what, *arguments), stdout=subprocess.PIPE
    )
    said = b""
    with contextlib.suppress(TimeoutError):
        said = (await asyncio.wait_for(process.communicate(), LONGEST_S))[0]
    if process.returncode is None:
        process.kill()
        await process.wait()
    assert process.returncode == 0, f"{what} ended with {process.returncode}"
    return json.loads(said)


async def visit(url: str, mark: str, seconds: float) -> None:
    """Be the visitors; print how long each waited, and what each was answered."""
    visitors = Visitors(url, mark)
    await visitors.come(asyncio.get_running_loop().time() + seconds)
    print(json.dumps({"took": visitors.took, "statuses": visitors.statuses}))


async def measure(
    name: str, url: str, pid: int, keys: tuple[str, str], seconds: float
) -> dict[str, object]:
    """Run everything beside one attack; "none" is the same without one."""
    mark = f"{name}-{uuid4().hex[:8]}"
    attacked_key, own_key = keys
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        until = asyncio.get_running_loop().time() + seconds
        common = ("--url", url, "--seconds", str(seconds))
        coming = asyncio.create_task(_program("visitors", "--mark", mark, *common))
        attacking = (
            asyncio.create_task(_program(name, "--key", attacked_key, *common))
            if name != "none"
            else None
        )
        pages, (rss, ready) = await asyncio.gather(read_on(url, until), watch(url, pid, until))
        came = await coming
        statuses = came.get("statuses", {})
        took = came.get("took") or [float(PATIENCE_S)]
        attacker = {} if attacking is None else await attacking
        durable = statuses.get("202", 0)
        stored = await kept(client, own_key, mark, durable)
    p99 = at(took, 0.99)
    lost = max(0, durable - stored)
    refused = sum(statuses.values()) - durable
    held = {
        "memory": rss <= MOST_RSS_MB,
        "latency": p99 <= MOST_P99_MS,
        "hits": lost == 0 and refused == 0,
        "readers": bool(pages) and all(pages),
        "ready": bool(ready) and all(ready),
    }
    return {
        "rss_mb": rss,
        "visitor_p50_ms": at(took, 0.5),
        "visitor_p99_ms": p99,
        "visitors": sum(statuses.values()),
        "hits_refused": refused,
        "refusals": {said: count for said, count in statuses.items() if said != "202"},
        "hits_lost": lost,
        "pages": len(pages),
        "pages_with_figures": sum(pages),
        "looks": len(ready),
        "looks_ready": sum(ready),
        "attacker": attacker,
        "missed": [what for what, kept_ in held.items() if not kept_],
    }


@contextmanager
def bounded(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Hold *process* to `MEMORY` and `CORES`; which way that is done."""
    os.sched_setaffinity(process.pid, CORES & os.sched_getaffinity(0))
    for folder, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = folder / f"hostile-{process.pid}"
        try:
            group.mkdir()
            try:
                (group / limit).write_text(str(MEMORY))
                (group / "cgroup.procs").write_text(str(process.pid))
            except OSError:
                group.rmdir()
                continue
        except OSError:
            continue
        try:
            yield f"control group ({limit})"
        finally:
            process.terminate()
            process.wait(60)
            group.rmdir()
        return
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        yield "RLIMIT_DATA"
    finally:
        process.terminate()
        process.wait(60)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, int, str]]:
    """A server on *folder*: its URL, its process id, how its memory is bounded."""
    port = free_port()
    arguments = ["serve", "--data", str(folder), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    with bounded(process) as how:
        async with httpx2.AsyncClient(base_url=url) as client:
            for _ in range(600):
                assert process.poll() is None, "the server ended"
                with contextlib.suppress(httpx2.HTTPError):
                    if (await client.get("/health/ready")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield url, process.pid, how


async def keys_of(folder: Path) -> tuple[str, str]:
    """The secrets of two keys: the attacker's, and that of the one who counts."""
    async with SqliteCatalog(folder / "catalog.sqlite") as catalog:
        _, attacked = await catalog.keys.create(scopes=[Scope.STATS_READ], site=site(0))
        _, own = await catalog.keys.create(scopes=[Scope.STATS_READ], site=site(2))
    return attacked, own


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Every attack, each on the same server; one that has ended is started again."""
    results: dict[str, Any] = {}
    how = ""
    with tempfile.TemporaryDirectory(prefix="bench-hostile-") as scratch:
        folder = Path(scratch) / "data"
        rows = await prepare(folder, options.sites, options.events)
        keys = await keys_of(folder)
        print(f"{options.sites} sites, {rows:,} rows")
        waiting = ["none", *(options.attack or ATTACKS)]
        while waiting:
            async with served(folder) as (url, pid, how):
                while waiting:
                    name = waiting.pop(0)
                    results[name] = await measure(name, url, pid, keys, options.seconds)
                    print(f"{name:10} {json.dumps(results[name])}", flush=True)
                    if not Path(f"/proc/{pid}/exe").exists():
                        results[name]["missed"].append("the server ended")
                        break
    return {
        "seconds_each": options.seconds,
        "rows": rows,
        "bounded_by": how,
        "attacks": results,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with the load",
        "measured": datetime.now(UTC).date().isoformat(),
    }


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    heads = f"{'RSS MB':>8} {'p99 ms':>9} {'lost':>5} {'refused':>8} {'pages':>9} {'ready':>9}"
    print(f"\n{'attack':10} {heads}  missed")
    for name, each in results["attacks"].items():
        pages = f"{each['pages_with_figures']}/{each['pages']}"
        ready = f"{each['looks_ready']}/{each['looks']}"
        print(
            f"{name:10} {each['rss_mb']:>8} {each['visitor_p99_ms']:>9} {each['hits_lost']:>5} "
            f"{each['hits_refused']:>8} {pages:>9} {ready:>9}  {', '.join(each['missed']) or '-'}"
        )
    print(f"memory bounded by {results['bounded_by']}; the load shares the server's cores")


def main() -> None:
    """Measure, print, and keep the result if that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="of each attack")
    parser.add_argument("--attack", action="append", choices=ATTACKS, help="only this one")
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--keep", action="store_true", help="write bench/results/hostile.json")
    parser.add_argument("--be", choices=(*ATTACKS, "visitors"), help=argparse.SUPPRESS)
    parser.add_argument("--mark", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--key", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be == "visitors":
        asyncio.run(visit(options.url, options.mark, options.seconds))
        return
    if options.be:
        asyncio.run(attack_for(options.be, options.url, options.key, options.seconds))
        return
    results = asyncio.run(run(options))
    show(results)
    if options.keep:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
