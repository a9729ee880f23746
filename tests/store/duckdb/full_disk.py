"""A store whose files may not grow, and then may again; see test_store.py."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from tests.store.rows import Log

from analytics.errors import StoreUnavailable
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import NOON, hit


def allow(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size if size > 0 else hard, hard))


async def main(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = Log()
    written = 0
    async with DuckDBStore(folder / "store.duckdb") as store:

        async def fill() -> None:
            nonlocal written
            for _ in range(200):
                batch = log.batch([hit(NOON + i, visitor=i) for i in range(100)])
                await store.write(batch)
                written += 100

        for limit in (20_000, 400_000, 900_000):  # the rows' file, the log, the checkpoint
            allow(limit)
            try:
                await fill()
            except StoreUnavailable:
                pass
            else:
                raise AssertionError(f"{limit} bytes were enough")
            log.offset = written
        print("refused")
        allow(0)
        log.offset = written
        await fill()
        print("again")
        assert await store.offsets() == {0: written}
        assert sum((await store.recount()).values()) == written
    async with DuckDBStore(folder / "store.duckdb") as store:
        assert sum((await store.recount()).values()) == written
        assert sum(line.stored for line in (await store.ledger()).values()) == written
        print("whole")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
