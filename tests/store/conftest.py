"""An open store in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBStore]:
    async with DuckDBStore(
        tmp_path / "store.duckdb",
        timezones=lambda: {SITE: "Europe/Berlin"},
        rebuild_at_most_every_ms=0,
    ) as store:
        yield store
