"""What the tests of ingest share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.ingest.world import Ingesting, ingesting


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Ingesting]:
    async with ingesting(tmp_path) as world:
        yield world
