#!/usr/bin/env python3
"""How fast funnels, journeys and retention are answered over N events.

Makes the site of bench/query.py, whose visitors all have a cookie here, and asks each question
several times. Prints the shortest time in seconds, and the processor time of that answer, which
tells how much of the machine it had.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import query as site
from msgspec import structs

from analytics.exploration import (
    Exploration,
    FunnelQuery,
    JourneyQuery,
    RetentionQuery,
    RetentionUnit,
)
from analytics.query import Compare, Dimension, Op, Period
from analytics.store.duckdb import DuckDBStore

PERIOD = Period(site.FIRST, site.NOW, site.ZONE)
TIMES = 3


def questions() -> dict[str, Exploration]:
    """A question of each kind, over all events."""
    steps = tuple(Compare(Op.IS, Dimension.PAGE, (f"/page/{n}",)) for n in range(1, 6))
    funnel = FunnelQuery(site=site.SITE, period=PERIOD, steps=steps)
    journey = JourneyQuery(site=site.SITE, period=PERIOD, start=steps[0], levels=10)
    return {
        "funnel of 5 steps": funnel,
        "the same, strict": FunnelQuery(site=site.SITE, period=PERIOD, steps=steps, strict=True),
        "the same, 7 days": FunnelQuery(site=site.SITE, period=PERIOD, steps=steps, within_days=7),
        "journey, 10 levels on": journey,
        "journey, 10 levels back": JourneyQuery(
            site=site.SITE, period=PERIOD, start=steps[0], levels=10, forward=False
        ),
        "retention by week": RetentionQuery(site=site.SITE, period=PERIOD),
        "retention by day": RetentionQuery(site=site.SITE, period=PERIOD, unit=RetentionUnit.DAY),
    }


async def measure(folder: Path, events: int, memory: str) -> None:
    """Print a line for each question."""
    path = folder / "bench.duckdb"
    cores = os.cpu_count() or 2
    if not path.exists():
        async with DuckDBStore(path, memory_limit=memory, threads=cores):
            pass  # makes the tables
        with_cookies = site.GENERATE.replace("hash(i) AS visitor", "hash(i) >> 1 AS visitor")
        assert with_cookies != site.GENERATE
        site.GENERATE = with_cookies
        print(await asyncio.to_thread(site.generate, path, events), "events and visitors")
    async with DuckDBStore(path, memory_limit=memory, threads=cores) as store:
        for name, asked in questions().items():
            taken = []
            for look in range(TIMES):
                # Each covers a millisecond more, so that no answer is one that the store remembers.
                period = structs.replace(PERIOD, end=PERIOD.end + look)
                question = structs.replace(asked, period=period)
                began, used = time.perf_counter(), time.process_time()
                await store.explore(question)
                taken.append((time.perf_counter() - began, time.process_time() - used))
            seconds, processor = min(taken)
            print(f"{name:26} {seconds:6.2f} s {processor:6.2f} s of processor", flush=True)


def main() -> None:
    """Make the rows, unless the folder has them, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--memory", default="2GB", help="DuckDB's memory limit")
    parser.add_argument("--folder", type=Path, help="where the database is made (and left)")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-paths-"))
    folder.mkdir(exist_ok=True)
    print(f"load before: {os.getloadavg()[0]:.1f}")
    try:
        asyncio.run(measure(folder, options.events, options.memory))
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
