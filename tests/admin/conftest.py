"""A real data folder, open, for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.admin.workspace import Workspace
from analytics.settings import Settings, load
from analytics.startup import open_workspace


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(None, {"data": tmp_path / "data"}, environment={})


@pytest.fixture
async def workspace(settings: Settings) -> AsyncIterator[Workspace]:
    async with open_workspace(settings) as workspace:
        yield workspace
